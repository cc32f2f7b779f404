"""What all views share: a view reads each of its fields from the object that it shows.

The field `extension` of a view is the attribute `extension` of its source, unless it declares
otherwise: `wait_s: Annotated[float | None, Source(lambda call: call.state.wait_time)]`. Fields that
are views themselves read their own source the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

from bridge.domain.delivery.texts import Language
from bridge.domain.phone.phone import PhoneNumber


@dataclass(frozen=True, slots=True)
class Source:
    """How a field is read from the source of its view."""

    read: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class SentenceSource:
    """How a field is read whose text depends on the reader's language."""

    read: Callable[[Any, Language], object]


class View(BaseModel):
    """A frozen model of an answer."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def of(cls, source: object, lang: Language = "en", **others: object) -> Self:
        """Return the view of *source*, its sentences in *lang*.

        *others* are fields that the source does not have.
        """
        fields = cls._fields_of(source, lang) | others
        return cls.model_validate(fields, context={"lang": lang})

    @model_validator(mode="before")
    @classmethod
    def _read(cls, source: object, validation: ValidationInfo) -> object:
        """Read the source of a view inside another one; fields given by name stay as they are."""
        if isinstance(source, dict | View):
            return source
        return cls._fields_of(source, (validation.context or {}).get("lang", "en"))

    @classmethod
    def _fields_of(cls, source: object, lang: Language) -> dict[str, object]:
        fields: dict[str, object] = {}
        for name, field in cls.model_fields.items():
            declared = next(
                (one for one in field.metadata if isinstance(one, Source | SentenceSource)), None
            )
            if isinstance(declared, Source):
                fields[name] = declared.read(source)
            elif declared is not None:
                fields[name] = declared.read(source, lang)
            elif hasattr(source, name):
                fields[name] = getattr(source, name)
        return fields


class ErrorView(View):
    """Any refusal or failure: one sentence."""

    error: str


def format_e164(number: PhoneNumber | None) -> str | None:
    """Return a number as the API writes it, with the plus."""
    return None if number is None else f"+{number}"


def total_seconds(span: timedelta | None) -> float | None:
    """Return a span as JSON counts it."""
    return None if span is None else span.total_seconds()


def error_response(description: str) -> dict[str, object]:
    """Return the OpenAPI answer of a status whose body is an `ErrorView`.

    By reference: FastAPI builds a validator for each route and status that names a model, which
    takes half the time of making the application. One status of each router names it (422).
    """
    schema = {"$ref": f"#/components/schemas/{ErrorView.__name__}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
