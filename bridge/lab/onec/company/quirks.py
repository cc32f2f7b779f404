"""What may be odd about the data of a composed company."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.lab.onec.infobase.infobase import ExtensionStorage


@dataclass(frozen=True, slots=True)
class DataQuirks:
    """What is odd about a composed company; every field is off or usual by default.

    Attributes:
        extension_storage: where «Внутренний номер» is kept; `mixed` uses every kind of value.
        attribute: whether the attribute exists at all (`setup-1c` creates it if not).
        twin_extensions: two valid users share one extension.
        control_characters: a few texts carry NUL and other control characters.
    """

    extension_storage: ExtensionStorage = "mixed"
    attribute: bool = True
    twin_extensions: bool = False
    control_characters: bool = False
