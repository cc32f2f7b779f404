"""A simulated 1C within the process, reached through the bridge's own client."""

from datetime import UTC, datetime
from typing import Any

from bridge.adapters.onec.protocol.client import ODataClient
from bridge.adapters.onec.protocol.config import ODataConfig
from bridge.adapters.onec.reading.source import ODataSource
from bridge.adapters.onec.writing.journal import ODataJournal
from bridge.domain.delivery.document_drafts import ContactRef, PhoneCallDraft
from bridge.domain.delivery.documents import proposed_ref
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import (
    EntityKind,
    Ref,
    Version,
)
from bridge.domain.phone.phone import PhoneRules
from bridge.lab.onec.company.compose import compose_infobase
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.simulator import (
    DEFAULT_PASSWORD,
    DEFAULT_USER,
    OneCLab,
)
from bridge.ports.onec import DirectoryObject
from tests.support.lab_transport import LabTransport

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ATTRIBUTE = "Внутренний номер"


async def _no_sleep(_: float) -> None:
    return


def make_lab(partners: int = 60, *, quirks: DataQuirks | None = None, **world: Any) -> OneCLab:
    """Compose a small company that stands still at `NOW`."""
    composed = compose_infobase(partners=partners, quirks=quirks, **world)
    return OneCLab(composed, clock=lambda: NOW, sleep=_no_sleep)


def make_client(lab: OneCLab, **config: Any) -> ODataClient:
    """Connect to *lab*."""
    asked = {"url": "http://lab/ut11", "user": DEFAULT_USER, "password": DEFAULT_PASSWORD, **config}
    return ODataClient(ODataConfig(**asked), transport=LabTransport(lab))


def make_source(lab: OneCLab, *, cache: Any = None, **config: Any) -> ODataSource:
    """Read *lab* as the pull does; seven-digit numbers are Moscow's, as in the lab's truth."""
    return ODataSource(
        make_client(lab, **config),
        rules=PhoneRules(area_code="495"),
        extension_attribute=ATTRIBUTE,
        metadata_cache=cache,
    )


def make_journal(lab: OneCLab, **config: Any) -> ODataJournal:
    """Write to *lab* as the delivery does."""
    return ODataJournal(make_client(lab, **config), lab.zone)


async def list_versions(source: ODataSource, kind: EntityKind) -> dict[Ref, Version]:
    """Return the complete listing of *kind*."""
    return dict((await source.listing(kind)).versions or {})


async def pull_all(source: ODataSource, kind: EntityKind) -> dict[Ref, DirectoryObject]:
    """List and fetch everything of *kind*; an object that comes twice fails the test."""
    listed = await list_versions(source, kind)
    return await pull(source, kind, list(listed), len(listed))


async def pull(
    source: ODataSource, kind: EntityKind, refs: list[Ref], listed: int
) -> dict[Ref, DirectoryObject]:
    """Fetch *refs* of *kind*."""
    found: dict[Ref, DirectoryObject] = {}
    async for batch in source.fetch(kind, refs, listed):
        for one in batch:
            assert one.ref not in found
            found[one.ref] = one
    return found


def make_draft(lab: OneCLab, key: str = "k1", at: datetime = NOW) -> PhoneCallDraft:
    """Draft a call of a partner whose manager has the extension 205."""
    user = lab.add_user("Смирнова", "205")
    partner = lab.add_partner("Ромашка", manager=user)
    return PhoneCallDraft(
        key=key,
        proposed_ref=proposed_ref(key),
        at=at,
        incoming=True,
        subject="Входящий звонок: Ромашка",
        description="Звонит: +7 (903) 555-01-23",
        presentation="Ромашка",
        how_to_reach="+7 (903) 555-01-23",
        comment=f"[bridge:{key}]",
        contact=ContactRef(CandidateKind.PARTNER, Ref(partner)),
        responsible=Ref(user),
    )
