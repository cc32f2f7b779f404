"""What a release of 1C UT 11 is made of: entity sets, their columns, enums, fixed references.

The shipped `ut11_metadata.json` is a compact extract of configuration metadata of four releases;
a column carries the releases it exists in only where some release lacks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec

Release = Literal["11.4.2", "11.5.8", "11.5.20", "11.5.27"]

EMPTY_REF: Final = "00000000-0000-0000-0000-000000000000"
EMPTY_DATE: Final = "0001-01-01T00:00:00"
UNDEFINED: Final = "StandardODATA.Undefined"

#: Attributes that folders keep; everything else of a folder travels as null
#: (docs/facts/onec-odata.md, 'Values in JSON').
_OF_FOLDERS: Final = frozenset(
    {
        "Ref_Key",
        "Predefined",
        "PredefinedDataName",
        "DataVersion",
        "Description",
        "Code",
        "Owner_Key",
        "Parent_Key",
        "IsFolder",
        "DeletionMark",
    }
)
_DEFAULTS: Final[dict[str, object]] = {
    "Guid": EMPTY_REF,
    "Boolean": False,
    "DateTime": EMPTY_DATE,
    "Int16": 0,
    "Int32": 0,
    "Int64": 0,
    "Double": 0,
    "StandardODATA.TypeDescription": None,
}


@dataclass(frozen=True, slots=True)
class Property:
    """One column: its EDM type without the `Edm.` prefix and its rules in 1C."""

    name: str
    type: str
    nullable: bool = True
    ref: str | None = None
    ref_any_of: frozenset[str] = frozenset()
    composite: bool = False
    max: int | None = None
    unlimited: bool = False

    @property
    def navigation(self) -> str | None:
        """Return the name by which the reference is walked (`Партнер` of `Партнер_Key`)."""
        if self.ref is None or self.type != "Guid" or not self.name.endswith("_Key"):
            return None
        return self.name.removesuffix("_Key")

    @property
    def default(self) -> object:
        """Return the empty value that 1C keeps until another is written."""
        if self.composite or self.type not in _DEFAULTS:
            return UNDEFINED if self.name.endswith("_Type") and self.ref == "*type" else ""
        return _DEFAULTS[self.type]


@dataclass(frozen=True, slots=True)
class EntitySet:
    """One resource of the interface: a catalog, document, register or tabular section."""

    name: str
    kind: str
    key: tuple[str, ...]
    properties: dict[str, Property]
    sections: dict[str, EntitySet] = field(default_factory=dict)
    hierarchy: str | None = None
    posting: bool = False
    published: bool = True
    owner: str | None = None

    @property
    def is_register(self) -> bool:
        """Return whether it is an independent information register, without `Ref_Key`."""
        return self.kind == "InformationRegister"

    @property
    def is_section(self) -> bool:
        """Return whether it is a tabular section read through its own address."""
        return self.owner is not None

    def template(self, *, folder: bool = False) -> dict[str, object]:
        """Return a fresh row of empty values in the order of `$metadata`.

        Sections stand between the attributes and the trailing `_Type` and stream columns.
        """
        row: dict[str, object] = {}
        tail = {name for name, prop in self.properties.items() if _is_tail(prop)}
        for name, prop in self.properties.items():
            if name not in tail:
                row[name] = None if folder and name not in _OF_FOLDERS else prop.default
        for section in self.sections:
            row[section] = []
        for name in self.properties:
            prop = self.properties[name]
            if name in tail and prop.type != "Stream":
                row[name] = None if folder else prop.default
        return row

    def navigation(self, name: str) -> Property | None:
        """Return the reference column that is walked as *name*, if there is one."""
        prop = self.properties.get(f"{name}_Key")
        return prop if prop is not None and prop.navigation == name else None


@dataclass(frozen=True, slots=True)
class ReleaseSchema:
    """All that one release publishes when nothing is left out."""

    release: Release
    sets: dict[str, EntitySet]
    enums: dict[str, tuple[str, ...]]
    predefined_partners: dict[str, str]
    contact_kinds: dict[str, dict[str, Any]]
    fixed_sets: dict[str, str]

    @property
    def clears_source_attribute(self) -> bool:
        """Return whether BSP is at least 3.1.7, which clears `ИмяРеквизитаИсточника`."""
        return self.release in {"11.5.20", "11.5.27"}

    @property
    def library_is_3(self) -> bool:
        """Return whether BSP is 3 (fixed property sets, JSON values), not 2.4 as in 11.4.2."""
        return self.release != "11.4.2"

    def all_sets(self) -> dict[str, EntitySet]:
        """Return all addresses, tabular sections included, by name."""
        found: dict[str, EntitySet] = {}
        for entity_set in self.sets.values():
            found[entity_set.name] = entity_set
            found.update((s.name, s) for s in entity_set.sections.values())
        return found


def _is_tail(prop: Property) -> bool:
    return prop.ref in {"*type", "*mime"} or prop.type == "Stream"


def _property(raw: dict[str, Any], names: set[str], type_sets: dict[str, list[str]]) -> Property:
    name, edm = raw["name"], raw["type"]
    ref = raw.get("ref")
    any_of: frozenset[str] = frozenset()
    composite = False
    if isinstance(ref, list):
        composite, any_of, ref = True, frozenset(ref), None
    elif isinstance(ref, str) and ref.startswith("*"):
        composite, any_of, ref = True, frozenset(type_sets.get(ref[1:], ())), None
    base = name.removesuffix("_Type")
    if name != base and base in names:
        # The type half of a composite value, or the MIME type of a value storage.
        ref = "*mime" if f"{base}_Base64Data" in names else "*type"
    return Property(
        name=name,
        type=edm,
        nullable=raw.get("nullable", True),
        ref=ref,
        ref_any_of=any_of,
        composite=composite or (f"{name}_Type" in names and f"{name}_Base64Data" not in names),
        max=raw.get("max"),
        unlimited=raw.get("unlimited", False),
    )


def _properties(
    raws: list[dict[str, Any]], release: str, type_sets: dict[str, list[str]]
) -> dict[str, Property]:
    present = [raw for raw in raws if release in raw.get("releases", (release,))]
    names = {raw["name"] for raw in present}
    return {raw["name"]: _property(raw, names, type_sets) for raw in present}


@lru_cache(maxsize=8)
def load_release(release: Release = "11.5.20") -> ReleaseSchema:
    """Return the schema of *release*; cheap to call again.

    Raises:
        KeyError: there is no schema of this release.
    """
    raw = msgspec.json.decode(
        resources.files("bridge.lab.onec.infobase").joinpath("ut11_metadata.json").read_bytes()
    )
    if release not in raw["releases"]:
        raise KeyError(release)
    # Release 11.4.2 accepts any reference as the source of a reminder (docs/facts/ut11.md,
    # 'НапоминанияПользователя').
    type_sets = {} if release == "11.4.2" else raw["type_sets"]
    sets: dict[str, EntitySet] = {}
    for name, entity in raw["sets"].items():
        sections = {}
        for section, columns in entity["sections"].items():
            found = _properties(columns, release, type_sets)
            if len(found) > 2:  # noqa: PLR2004 - a section of keys alone is absent in the release
                sections[section] = EntitySet(
                    name=f"{name}_{section}",
                    kind=entity["kind"],
                    key=("Ref_Key", "LineNumber"),
                    properties=found,
                    owner=name,
                )
        sets[name] = EntitySet(
            name=name,
            kind=entity["kind"],
            key=tuple(entity["key"]),
            properties=_properties(entity["properties"], release, type_sets),
            sections=sections,
            hierarchy=entity.get("hierarchy"),
            posting=entity.get("posting", False),
            published=not entity.get("unpublished", False),
        )
    return ReleaseSchema(
        release=release,
        sets=sets,
        enums={
            name: tuple(values if isinstance(values, list) else values.get(release, ()))
            for name, values in raw["enums"].items()
        },
        predefined_partners=raw["predefined"]["Catalog_Партнеры"],
        contact_kinds=raw["predefined"]["Catalog_ВидыКонтактнойИнформации"],
        fixed_sets=raw["fixed_refs"],
    )
