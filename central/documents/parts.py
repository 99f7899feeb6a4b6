"""The pieces that documents are made of: bounded texts, counts and times, and how a text is made harmless.

A report that is all right is decoded and checked by msgspec in one pass; one with a text too long or with control
characters goes through `tidy` first, which is slower and does the cutting and replacing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Final, Self, TypeVar, cast, get_args

import msgspec
from msgspec import Meta, Struct, inspect

from central.wire import MAX_NUMBER

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = timedelta(days=366 * 20)
SURE_YEARS: Final = range(2001, 2045)
"""Within the bounds, whatever the zone: the usual case, told without asking the clock (a page reads 20,000 times)."""
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_PLACE: Final = re.compile(r" - at `(key in )?\$([^`]*)`$")
_FIELD: Final = re.compile(r"missing required field `(\w+)`|^(\w+): ")

Word = Annotated[str, Meta(max_length=80)]
Line = Annotated[str, Meta(max_length=400)]
Prose = Annotated[str, Meta(max_length=4000, extra={"keep": "\n"})]
Count = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
When = datetime
"""A time from 2000 to 20 years from now; without a zone it is UTC. Only in a `Timed` part."""


Checked = TypeVar("Checked", bound="Part")


class DocumentError(ValueError):
    """A body that is no report; says which field is wrong, never what it held."""


class Part(Struct, frozen=True, kw_only=True, gc=False):
    """Base of what comes from outside: unknown fields are ignored."""

    @classmethod
    def model_validate(cls, value: object) -> Self:
        """From what JSON gives, or from itself.

        Raises:
            DocumentError: naming the field that does not fit.
        """
        if isinstance(value, cls):
            return value
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError:
            return from_untidy(value, cls)

    @classmethod
    def model_validate_json(cls, body: bytes | str) -> Self:
        """From JSON.

        Raises:
            DocumentError: naming the field that does not fit.
        """
        return cls.model_validate(read_json(body))

    def model_dump(self, **_options: object) -> dict[str, Any]:
        """As JSON has it."""
        return cast("dict[str, Any]", msgspec.to_builtins(self))


class Timed(Part, frozen=True, kw_only=True, gc=False):
    """A part with times."""

    def __post_init__(self) -> None:
        """Bounds of its times; those without a zone are UTC."""
        for name in _times_of(type(self)):
            value = getattr(self, name)
            if isinstance(value, datetime):
                if value.tzinfo and value.year in SURE_YEARS:
                    continue
                moment = value if value.tzinfo else value.replace(tzinfo=UTC)
                if not EARLIEST <= moment <= datetime.now(UTC) + LATEST:
                    raise ValueError(f"{name}: not a time of our days")
                if moment is not value:
                    msgspec.structs.force_setattr(self, name, moment)


@cache
def _times_of(kind: type[Struct]) -> tuple[str, ...]:
    """Fields that may hold a time."""
    return tuple(
        field.name for field in msgspec.structs.fields(kind) if datetime in (field.type, *get_args(field.type))
    )  # fmt: skip


def plain(text: str, keep: str = "") -> str:
    """Without characters that drive a terminal or turn the writing: each becomes U+FFFD, those in `keep` stay."""
    if text.isprintable():  # the usual case, 20 times faster; false for every category below
        return text
    return "".join(
        "\ufffd" if unicodedata.category(sign) in {"Cc", "Cf", "Cs"} and sign not in keep else sign for sign in text
    )


def read_json(body: bytes | str) -> object:
    """What JSON says, lone surrogates included (an agent's file name may hold one; `plain` replaces it).

    Raises:
        DocumentError: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise DocumentError("body") from None


def from_untidy(value: object, kind: type[Checked]) -> Checked:
    """A part of what JSON gave, its texts cut and made harmless first.

    Raises:
        DocumentError: naming the field that does not fit.
    """
    try:
        return msgspec.convert(tidy_as(kind)(value), kind, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise DocumentError(place_of(error)) from None


def place_of(error: Exception) -> str:
    """The field that an error of msgspec speaks of; the names are the models', never a key or value that came."""
    text = str(error)
    found, field = _PLACE.search(text), _FIELD.search(text)
    path = re.sub(r"\[[^\]]*\]", "", found.group(2)).strip(".") if found else ""
    return ".".join(part for part in (path, (field.group(1) or field.group(2)) if field else "") if part) or "body"


Tidy = Callable[[Any], Any]


@cache
def tidy_as(kind: Any) -> Tidy:
    """What makes a value ready for conversion to a type: known fields alone, texts cut and harmless."""
    return _tidy_of(inspect.type_info(kind))


def _tidy_of(info: inspect.Type, keep: str = "") -> Tidy:
    match info:
        case inspect.Metadata(type=inner, extra=extra):
            return _tidy_of(inner, str((extra or {}).get("keep", "")))
        case inspect.StrType(max_length=limit):
            return lambda value: plain(value[:limit], keep) if isinstance(value, str) else value
        case inspect.StructType():
            return _tidy_struct(info)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            inner_tidy = _tidy_of(item)
            return lambda value: [inner_tidy(entry) for entry in value] if isinstance(value, list) else value
        case inspect.DictType(key_type=key, value_type=entry):
            of_key, of_value = _tidy_of(key), _tidy_of(entry)
            return lambda value: (
                {of_key(name): of_value(one) for name, one in value.items()} if isinstance(value, dict) else value
            )
        case inspect.UnionType(types=types):
            return _tidy_union([_tidy_of(entry) for entry in types if not isinstance(entry, inspect.NoneType)])
        case inspect.DateTimeType():
            return lambda value: f"{value}T00:00:00" if isinstance(value, str) and _DATE.fullmatch(value) else value
        case inspect.AnyType():
            return tidy_any
        case _:
            return lambda value: value


def _tidy_struct(info: inspect.StructType) -> Tidy:
    fields: dict[str, Tidy] = {}

    def tidy(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if not fields:  # made when first needed: a type may hold itself
            fields.update({field.encode_name: _tidy_of(field.type) for field in info.fields})
        return {name: fields[name](entry) for name, entry in value.items() if name in fields}

    return tidy


def _tidy_union(choices: list[Tidy]) -> Tidy:
    """Each looks at the kinds of values that are its own and leaves the others as they are."""

    def tidy(value: Any) -> Any:
        for choice in choices:
            value = choice(value)
        return value

    return tidy


def tidy_any(value: Any) -> Any:
    """Whatever it is, its texts cut at 4,000 characters and made harmless."""
    if isinstance(value, str):
        return plain(value[:4000], "\n")
    if isinstance(value, list):
        return [tidy_any(entry) for entry in value]
    if isinstance(value, dict):
        return {plain(str(name)[:400]): tidy_any(entry) for name, entry in value.items()}
    return value
