"""The settings of one simulated publication: where real publications differ, there is a switch.

Defaults are what was measured on real УТ 11 publications; what the guide has otherwise, or another
installation does, is a switch (docs/facts/onec-odata.md, 'Simulator switches').
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(slots=True)
class PublicationSwitches:
    """How this publication behaves. Change a field at any time; the next request obeys it.

    Attributes:
        if_match: `ignored` as measured, or `enforced` (412) as in the guide.
        honour_client_ref_key: does POST take the client's `Ref_Key` (a repeat is 400/15 then).
        ibsession: what `IBSession: start` brings: nothing, a cookie, or 406.
        rights_status: status of a refusal for want of rights (401 in the guide, 403 in the field).
        count_endpoint: is `Set/$count` given at all.
        patch: `on`, or `405` without body as on the standalone server.
        iis_html_404: the web server replaces 1C's 404 by its own page.
        iis_segment_limit: characters of one path segment; None for no limit.
        iis_counts_encoded: the segment's characters are counted before they are decoded, so that
            no key of a reminder fits (unverified).
        iis_query_limit: bytes of the query string; None for no limit.
        row_ref_key_in_sections: do lines of tabular sections repeat their owner's `Ref_Key`.
        dataversion_style: shape of `DataVersion`.
        dataversion_filter: `refused` (500), or `allowed` in `$filter`.
        lang: language of the refusals.
        cold_start_seconds: how long the first request after `idle_seconds` takes.
        rls_rows: references of objects the user may not read.
        unpublished: entity sets left out of the composition; sections by their full name.
        composition: None publishes all but `unpublished`; otherwise only these sets.
        published_extras: sets outside the usual composition, published on request.
        max_page_bytes: a body larger than this kills the request (HTML 500).
        metadata_padding_mb: `$metadata` is padded to a realistic size.
        gzip: compress for clients that accept it.
        reminders_need_owner: refuse a reminder whose `Источник` is a zero guid.
        register_patch: what a PATCH by a key that no record has brings: 404, as it is inferred from
            DELETE, or a new record, so that a change of a dismissed reminder revives it.
        dimension_patch: a dimension in the body of a PATCH is ignored, or moves the record
            (both unverified).
        text_case: are texts compared without the case of letters, as usual, or with it
            (unverified: it is the DBMS's).
    """

    if_match: Literal["ignored", "enforced"] = "ignored"
    honour_client_ref_key: bool = False
    ibsession: Literal["unsupported", "supported", "pool_exhausted"] = "unsupported"
    rights_status: Literal[401, 403] = 401
    count_endpoint: bool = True
    patch: Literal["on", "405"] = "on"
    iis_html_404: bool = False
    iis_segment_limit: int | None = 260
    iis_counts_encoded: bool = False
    iis_query_limit: int | None = 2048
    row_ref_key_in_sections: bool = True
    dataversion_style: Literal["per_object", "global", "high_dword"] = "per_object"
    dataversion_filter: Literal["refused", "allowed"] = "refused"
    lang: Literal["ru", "en"] = "ru"
    cold_start_seconds: float = 0.0
    idle_seconds: float = 300.0
    rls_rows: set[str] = field(default_factory=set)
    unpublished: set[str] = field(default_factory=set)
    composition: set[str] | None = None
    published_extras: set[str] = field(default_factory=set)
    max_page_bytes: int | None = None
    metadata_padding_mb: float = 0.0
    gzip: bool = False
    reminders_need_owner: bool = False
    register_patch: Literal["404", "upsert"] = "404"
    dimension_patch: Literal["ignored", "moved"] = "ignored"
    text_case: Literal["insensitive", "sensitive"] = "insensitive"

    def set(self, name: str, value: Any) -> None:
        """Set one switch by name, from JSON; lists become sets.

        Raises:
            KeyError: there is no such switch.
        """
        if name not in {switch.name for switch in fields(self)}:
            raise KeyError(name)
        setattr(self, name, set(value) if isinstance(value, list) else value)

    def as_json(self) -> dict[str, Any]:
        """Return all switches as JSON values."""
        found = {switch.name: getattr(self, switch.name) for switch in fields(self)}
        return {k: sorted(v) if isinstance(v, set) else v for k, v in found.items()}
