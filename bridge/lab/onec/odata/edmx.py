"""Renders `$metadata` in the shape of a real УТ 11: one schema, no AssociationSet, open types.

Shape: docs/facts/onec-odata.md, 'Metadata'. The document is always XML. It can be padded with a
comment to the size real publications have (15-17 MB), because a client must cope with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bridge.lab.onec.infobase.schema import EntitySet, Property
from bridge.lab.onec.odata.publication import Publication

_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx">\n'
    '<edmx:DataServices m:DataServiceVersion="3.0" m:MaxDataServiceVersion="3.0" '
    'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">\n'
    '<Schema Namespace="StandardODATA" '
    'xmlns="http://schemas.microsoft.com/ado/2009/11/edm">\n'
)
_TAIL: Final = "</Schema>\n</edmx:DataServices>\n</edmx:Edmx>\n"
_TYPE_DESCRIPTION: Final = """<ComplexType Name="TypeDescription">
<Property Name="Types" Type="Collection(Edm.String)" Nullable="false"/>
<Property Name="NumberQualifiers" Type="StandardODATA.NumberQualifiers" Nullable="true"/>
<Property Name="StringQualifiers" Type="StandardODATA.StringQualifiers" Nullable="true"/>
<Property Name="DateQualifiers" Type="StandardODATA.DateQualifiers" Nullable="true"/>
<Property Name="BinaryDataQualifiers" Type="StandardODATA.BinaryDataQualifiers" Nullable="true"/>
</ComplexType>
"""


def render(publication: Publication) -> bytes:
    """Return the document for what *publication* lets be seen."""
    names = [n for n in publication.names() if not publication.entity_set(n).is_section]
    sets = [publication.entity_set(name) for name in names]
    parts = [_HEAD]
    associations: list[str] = []
    for entity_set in sets:
        parts += _entity_type(publication, entity_set, associations)
    parts += associations
    for entity_set in sets:
        parts += _row_types(publication, entity_set)
    parts.append(_TYPE_DESCRIPTION)
    for name, values in publication.infobase.schema.enums.items():
        if values:
            parts.append(f'<EnumType Name="{name}">\n')
            parts += [f'<Member Name="{value}" Value="{n}"/>\n' for n, value in enumerate(values)]
            parts.append("</EnumType>\n")
    parts += _container(publication, sets)
    padding = int(publication.switches.metadata_padding_mb * 1024 * 1024)
    if padding:
        parts.append(f"<!--{' ' * padding}-->\n")
    parts.append(_TAIL)
    return "".join(parts).encode()


def _entity_type(
    publication: Publication, entity_set: EntitySet, associations: list[str]
) -> Iterable[str]:
    yield from _opening(entity_set.name, entity_set)
    yield from _columns(publication, entity_set)
    for name, prop in entity_set.properties.items():
        walked = prop.navigation and publication.navigation(entity_set, prop.navigation)
        if walked:
            relation = f"{entity_set.name}_{name.removesuffix('_Key')}"
            yield (
                f'<NavigationProperty Name="{prop.navigation}" '
                f'Relationship="StandardODATA.{relation}" FromRole="Begin" ToRole="End"/>\n'
            )
            associations.append(
                f'<Association Name="{relation}">\n'
                f'<End Role="Begin" Type="StandardODATA.{entity_set.name}" Multiplicity="*"/>\n'
                f'<End Role="End" Type="StandardODATA.{prop.ref}" Multiplicity="0..1"/>\n'
                "</Association>\n"
            )
    yield "</EntityType>\n"
    for section in _sections(publication, entity_set):
        yield from _opening(section.name, section)
        yield from (_property(prop) for prop in section.properties.values())
        yield "</EntityType>\n"


def _opening(name: str, entity_set: EntitySet) -> Iterable[str]:
    yield f'<EntityType Name="{name}" OpenType="true">\n<Key>\n'
    yield from (f'<PropertyRef Name="{part}"/>\n' for part in entity_set.key)
    yield "</Key>\n"


def _columns(publication: Publication, entity_set: EntitySet) -> Iterable[str]:
    sections = {f"{entity_set.name}_{name}": name for name in entity_set.sections}
    published = [n for full, n in sections.items() if publication.publishes(full)]
    streams = (n for n, prop in entity_set.properties.items() if prop.type == "Stream")
    for name in (*entity_set.template(), *streams):
        if name in entity_set.properties:
            yield _property(entity_set.properties[name])
        elif name in published:
            row_type = f"{entity_set.name}_{name}_RowType"
            yield (
                f'<Property Name="{name}" Type="Collection(StandardODATA.{row_type})" '
                'Nullable="false"/>\n'
            )


def _property(prop: Property) -> str:
    kind = prop.type if prop.type.startswith("StandardODATA.") else f"Edm.{prop.type}"
    nullable = "true" if prop.nullable else "false"
    return f'<Property Name="{prop.name}" Type="{kind}" Nullable="{nullable}"/>\n'


def _row_types(publication: Publication, entity_set: EntitySet) -> Iterable[str]:
    for section in _sections(publication, entity_set):
        yield f'<ComplexType Name="{section.name}_RowType">\n'
        yield from (_property(prop) for prop in section.properties.values())
        yield "</ComplexType>\n"


def _sections(publication: Publication, entity_set: EntitySet) -> list[EntitySet]:
    return [s for s in entity_set.sections.values() if publication.publishes(s.name)]


def _container(publication: Publication, sets: list[EntitySet]) -> Iterable[str]:
    yield '<EntityContainer Name="EnterpriseV8" m:IsDefaultEntityContainer="true">\n'
    for entity_set in sets:
        for each in (entity_set, *_sections(publication, entity_set)):
            yield f'<EntitySet Name="{each.name}" EntityType="StandardODATA.{each.name}"/>\n'
    for entity_set in sets:
        # Documents whose posting is denied have no such actions (docs/facts/onec-odata.md, 'Post
        # and Unpost').
        for action in ("Post", "Unpost") if entity_set.posting else ():
            yield f'<FunctionImport Name="{action}" IsBindable="true" IsSideEffecting="true">\n'
            yield f'<Parameter Name="bindingParameter" Type="StandardODATA.{entity_set.name}"/>\n'
            if action == "Post":
                yield '<Parameter Name="PostingModeOperational" Type="Edm.Boolean"/>\n'
            yield "</FunctionImport>\n"
    yield "</EntityContainer>\n"
