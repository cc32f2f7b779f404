"""`/api/v1/calls` and `/api/v1/debts`: the history of calls, the story of one, missed calls."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import AwareDatetime

from bridge.domain.calls.events import Direction
from bridge.domain.calls.state import Disposition
from bridge.domain.delivery.texts import Language
from bridge.domain.phone.callers import CallerKind, read_caller
from bridge.domain.phone.phone import PhoneNumber
from bridge.ports.stores.calls import CallFilter
from bridge.web.api.views.call_story import CallStoryView, MissedCallsView, NewNote
from bridge.web.api.views.calls import CallSummaryView, CallsView, CallView, MissedCallView
from bridge.web.api.views.state import OutboxEntryView
from bridge.web.web_services import WebServices

Key = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[0-9a-zA-Z_-]+$")]
Lang = Annotated[Language | None, Query(description="language of the sentences")]
Text = Annotated[str | None, Query(min_length=1, max_length=100)]


def add_call_routes(router: APIRouter, services: WebServices) -> None:
    """Add the addresses about calls to *router*."""

    @router.get("/calls")
    async def list_calls(
        *,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        before: Annotated[
            AwareDatetime | None,
            Query(description="only calls received before, with a zone; see next_before"),
        ] = None,
        since: Annotated[AwareDatetime | None, Query(description="received then or later")] = None,
        number: Text = None,
        client: Annotated[
            str | None,
            Query(max_length=64, description="a partner's reference, or +number of a stranger"),
        ] = None,
        extension: Annotated[
            str | None,
            Query(
                max_length=10, description="one that rang, talked, dialled or was named to the PBX"
            ),
        ] = None,
        direction: Direction | None = None,
        disposition: Annotated[list[Disposition] | None, Query(max_length=6)] = None,
        lang: Lang = None,
    ) -> CallsView:
        """List calls, newest first; ask on with `before`."""
        call_filter = CallFilter(
            number=None if number is None else read_number(services, number),
            client=client,
            extension=extension,
            direction=direction,
            dispositions=tuple(disposition or ()),
            since=None if since is None else _to_utc(since),
        )
        until = None if before is None else _to_utc(before)
        calls = await services.ledger.calls(limit=limit, before=until, matching=call_filter)
        return CallsView(
            calls=[CallSummaryView.of(call, lang or services.lang) for call in calls],
            next_before=calls[-1].received_at if len(calls) == limit else None,
        )

    @router.get("/calls/{key}")
    async def show_call(key: Key, lang: Lang = None) -> CallView:
        """Show one call with the evidence of its decision."""
        call = await services.ledger.call(key)
        if call is None:
            raise HTTPException(404, "There is no such call.")
        return CallView.of(call, lang or services.lang)

    @router.get("/calls/{key}/story")
    async def tell_call(key: Key, lang: Lang = None) -> CallStoryView:
        """Show the whole story of one call: what was asked, what happened, what 1C got."""
        call = await services.ledger.call(key)
        if call is None:
            raise HTTPException(404, "There is no such call.")
        lang = lang or services.lang
        found = await services.ledger.entry(key)
        entry = None if found is None else OutboxEntryView.of(found[0], lang)
        return CallStoryView.of(call, lang, entry=entry)

    @router.post("/calls/{key}/notes", status_code=201)
    async def note_call(key: Key, note: NewNote, lang: Lang = None) -> CallStoryView:
        """Write a note to a call; it goes into its document in 1C."""
        call = await services.call_notes.annotate(key, note.by or "API", note.text)
        if call is None:
            raise HTTPException(404, "There is no such call.")
        return CallStoryView.of(call, lang or services.lang, entry=None)

    @router.get("/debts")
    async def list_debts() -> MissedCallsView:
        """List the clients who were missed and wait to be called back."""
        missed_calls = await services.ledger.open_missed_calls()
        return MissedCallsView(debts=[MissedCallView.of(missed) for missed in missed_calls])


def read_number(services: WebServices, typed: str) -> PhoneNumber:
    """Read a number typed in any way.

    Raises:
        HTTPException: 422.
    """
    caller = read_caller(typed, services.phones)
    if caller.kind is not CallerKind.EXTERNAL or caller.number is None:
        raise HTTPException(422, f"number: “{caller.raw}” is not a telephone number")
    return caller.number


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise HTTPException(422, "before: is outside the calendar") from error
