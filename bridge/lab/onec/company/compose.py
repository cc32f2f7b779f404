"""Composes an infobase: the same arguments give the same rows, references and phones."""

from __future__ import annotations

import gc
from random import Random

from bridge.lab.onec.company import contact_kinds, users
from bridge.lab.onec.company.partners import PartnerComposer
from bridge.lab.onec.company.quirks import DataQuirks
from bridge.lab.onec.infobase.infobase import Infobase
from bridge.lab.onec.infobase.schema import Release, load_release


def compose_infobase(
    partners: int = 5000,
    seed: int = 1,
    release: Release = "11.5.20",
    quirks: DataQuirks | None = None,
) -> Infobase:
    """Return the infobase of a company of *partners* partners in the columns of *release*.

    5 000 partners take about 0.2 s, 200 000 about 8 s and 0.8 GB; a process that keeps so many
    should call `gc.freeze()` afterwards.

    Raises:
        KeyError: no such release is known.
    """
    infobase = Infobase(load_release(release), seed)
    quirks = quirks or DataQuirks()
    collecting = gc.isenabled()
    # A million fresh dicts and nothing to free: the collector alone would double the time.
    gc.disable()
    try:
        rng = Random(f"{seed}/{release}/{partners}")  # noqa: S311 - composed data
        contact_kinds.compose_contact_kinds(infobase, rng)
        managers = users.compose_users(infobase, rng, quirks)
        PartnerComposer(infobase, rng, managers, quirks).write_all(partners)
    finally:
        if collecting:
            gc.enable()
    return infobase
