"""The phone call document, its subject record and its outcome, one request to 1C at a time."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from bridge.domain.calls.desired import DesiredState, DocumentText
from bridge.domain.delivery import outbox
from bridge.domain.delivery.document_drafts import PhoneCallDraft
from bridge.domain.delivery.documents import build_document_change
from bridge.domain.delivery.entry import DeliveryRules, OutboxEntry
from bridge.domain.directory.entities import Ref
from bridge.errors import (
    OneCAlreadyExists,
    OneCFilteredByWebServer,
    OneCObjectMissing,
    OneCRejected,
)
from bridge.ports.clock import Clock
from bridge.ports.onec import FoundDocument, OneCJournal

_log = logging.getLogger(__name__)


class DocumentDelivery:
    """Writes the document of a call; errors are those of the journal."""

    def __init__(self, journal: OneCJournal, clock: Clock, rules: DeliveryRules) -> None:
        self._journal = journal
        self._clock = clock
        self._rules = rules

    async def deliver_document(
        self,
        entry: OutboxEntry,
        draft: PhoneCallDraft,
        desired: DesiredState,
        *,
        is_clock_steady: bool,
    ) -> OutboxEntry:
        """Create the document unless 1C has it already; return the entry advanced, or waiting.

        *is_clock_steady*: the wall clock did not step while *entry* was worked on. After a step
        it is not known how much of the quiet period is over.
        """
        if outbox.must_search_first(entry):
            # Before the search: what commits meanwhile must not count as having been searched for.
            now = self._clock()
            found = _unmarked(await self._journal.find_phone_calls(draft))
            if found:
                try:
                    await self._mark_duplicates(found[0], found)
                except (OneCRejected, OneCFilteredByWebServer) as error:
                    # The call is in 1C, as it should be; the last search marks again, or fails.
                    _log.warning("double_unmarked", extra={"reason": str(error)})
                written = replace(entry, document=found[0].ref)
                return outbox.advance(written, desired, now, self._rules)
            if not (is_clock_steady and outbox.may_create(entry, now, self._rules)):
                reason = entry.last_error or "not found in 1C yet; the lost write may still arrive"
                return outbox.wait_for_quiet(entry, now, self._rules, reason=reason)
        try:
            ref = await self._journal.create_phone_call(draft)
        except OneCAlreadyExists:
            # 1C honours proposed references, and an earlier attempt of ours created the document.
            found = _unmarked(await self._journal.find_phone_calls(draft))
            if not found:
                raise
            written = replace(entry, document=found[0].ref)
        else:
            written = replace(
                entry, document=ref, written_text=desired.document_text, maybe_written_texts=()
            )
        return outbox.advance(written, desired, self._clock(), self._rules)

    async def deliver_subject(self, entry: OutboxEntry, document: Ref) -> None:
        """Create the subject record, without which the call is missing from the partner's list."""
        if outbox.must_search_first(entry) and await self._journal.has_subject(document):
            return
        try:
            await self._journal.create_subject(document)
        except OneCAlreadyExists:
            if not await self._journal.has_subject(document):
                raise

    async def deliver_outcome(
        self, entry: OutboxEntry, document: Ref, text: DocumentText, marker: str
    ) -> None:
        """Complete the document with *text*; what users of 1C changed in it stays theirs.

        *marker* is what a document that ordered a call must carry, so that it is never taken for
        an order again; empty for others.
        """
        present = await self._journal.read_phone_call(document)
        if present is None:
            return  # a user of 1C deleted it
        ours = entry.maybe_written_texts
        if entry.written_text is not None:
            ours = (entry.written_text, *ours)
        change = build_document_change(present, ours, text, marker)
        if change:
            with suppress(OneCObjectMissing):
                await self._journal.change_phone_call(document, change)

    async def verify(self, entry: OutboxEntry, draft: PhoneCallDraft) -> None:
        """Search once more, long after: a document committed late is marked for deletion."""
        found = _unmarked(await self._journal.find_phone_calls(draft))
        ours = next((f for f in found if f.ref == entry.document), None)
        if ours is not None:
            await self._mark_duplicates(ours, found)

    async def _mark_duplicates(self, ours: FoundDocument, found: Sequence[FoundDocument]) -> None:
        for other in found:
            if other.ref != ours.ref:
                await self._journal.set_deletion_mark(other.ref)
                _log.warning("double_marked", extra={"kept": ours.ref, "marked": other.ref})


def _unmarked(found: Sequence[FoundDocument]) -> list[FoundDocument]:
    """Return *found* without those marked for deletion; the first one where all are marked."""
    return [f for f in found if not f.deletion_mark] or list(found[:1])
