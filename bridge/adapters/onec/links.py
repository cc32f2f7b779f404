"""Links that open an object in 1C's web client.

The form is the platform's own: `<infobase address>#e1cib/data/<type>?ref=<32 hex digits>`
(1C:Enterprise Developer Guide, "URL formats"). The digits are the reference's, its parts in another
order: object 5b94bf37-7728-11ef-8122-000c295e34e3 has ref=8122000c295e34e311ef77285b94bf37 (a link
that a 1C client gave).
"""

from urllib.parse import quote

from bridge.adapters.onec.schema import LINK_TYPES
from bridge.domain.directory.caller_card import CandidateKind
from bridge.domain.directory.entities import Ref


class WebClientLinks:
    """Makes links into 1C's web client at *address*, e.g. `https://1c.example.ru/ut11`."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")

    def owner_link(self, kind: CandidateKind, ref: Ref) -> str:
        """Return the address that opens the card of a partner, contact person or counterparty."""
        type_name = quote(LINK_TYPES[kind], safe=".")
        return f"{self._address}/#e1cib/data/{type_name}?ref={ref_in_link(ref)}"


def ref_in_link(ref: Ref) -> str:
    """Return *ref* in the form of 1C's links."""
    low, mid, high, clock, node = ref.split("-")
    return f"{clock}{node}{high}{mid}{low}"
