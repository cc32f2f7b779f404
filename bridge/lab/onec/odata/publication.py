"""What one publication lets a client see of the infobase: sets, types, versions, forbidden rows."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from functools import lru_cache

from bridge.lab.onec.infobase.infobase import Infobase
from bridge.lab.onec.infobase.schema import UNDEFINED, EntitySet, Property
from bridge.lab.onec.infobase.tables import EntityTable, Row
from bridge.lab.onec.odata import errors
from bridge.lab.onec.switches import PublicationSwitches

_PREFIX = "StandardODATA."


@dataclass(frozen=True, slots=True)
class Publication:
    """What one publication shows of its infobase: its composition and its switches."""

    infobase: Infobase
    switches: PublicationSwitches

    def publishes(self, name: str) -> bool:
        """Return whether the entity set *name* exists for a client."""
        found = self.infobase.entity_sets.get(name)
        if found is None:
            return False
        root = found.owner or found.name
        switches = self.switches
        if name in switches.unpublished or root in switches.unpublished:
            return False
        if switches.composition is not None:
            return root in switches.composition
        return self.infobase.entity_sets[root].published or root in switches.published_extras

    def names(self) -> list[str]:
        """Return all published sets, tabular sections included."""
        return [name for name in self.infobase.entity_sets if self.publishes(name)]

    def entity_set(self, name: str) -> EntitySet:
        """Return the schema of a published set.

        Raises:
            ODataRefusal: it is not published (404/8).
        """
        if not self.publishes(name):
            raise errors.unknown_set(name)
        return self.infobase.entity_sets[name]

    def table(self, entity_set: EntitySet) -> EntityTable:
        """Return the table that holds the set, or the owner of the section."""
        return self.infobase.tables[entity_set.owner or entity_set.name]

    def section_name(self, entity_set: EntitySet) -> str:
        """Return the section's own name (`КонтактнаяИнформация`)."""
        return entity_set.name.removeprefix(f"{entity_set.owner}_")

    def navigation(self, entity_set: EntitySet, name: str) -> tuple[Property, EntitySet] | None:
        """Return the reference walked as *name* and its target, if both are published."""
        prop = entity_set.navigation(name)
        if prop is None or prop.ref is None or not self.publishes(prop.ref):
            return None
        return prop, self.infobase.entity_sets[prop.ref]

    def type_on_wire(self, type_name: str) -> str:
        """Return a composite's type; an object that is not published is an `UnavailableEntity`."""
        if not type_name.startswith(_PREFIX) or type_name == UNDEFINED:
            return type_name
        return type_name if self.publishes(type_name[len(_PREFIX) :]) else _unavailable(type_name)

    def version(self, table: EntityTable, row: Row) -> str:
        """Return `DataVersion` in this database's shape."""
        count, stamp = table.version(table.key_of(row))
        style = self.switches.dataversion_style
        if style == "per_object":
            return _base64(count)
        return _base64(0x44000 + stamp) if style == "global" else _base64(stamp << 32)

    def is_forbidden(self, row: Row) -> bool:
        """Return whether record-level access hides *row* from the client's user."""
        return bool(self.switches.rls_rows) and row.get("Ref_Key") in self.switches.rls_rows

    def owner_of_type(self, type_name: str) -> str:
        """Return the set a type name means, without the namespace."""
        return type_name.removeprefix(_PREFIX)


@lru_cache(maxsize=256)
def _unavailable(type_name: str) -> str:
    return f"UnavailableEntities.UnavailableEntity_{uuid.uuid5(uuid.NAMESPACE_URL, type_name)}"


@lru_cache(maxsize=4096)
def _base64(number: int) -> str:
    return base64.b64encode(number.to_bytes(8, "big")).decode()
