"""Canaries in JSON: a list of objects, an object that holds one, or an object a line; the rest stays to the byte."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from agent.vendors.columns import Canary, read_table, spread
from agent.vendors.plant_delimited import decoded
from agent.vendors.planted import NotPlanted, Planted

_BLANK: Final = re.compile(r"[ \t\r\n\ufeff]*")
_DECODER: Final = json.JSONDecoder()


def plant_json(data: bytes, canaries: list[Canary]) -> Planted:
    """The file with the canaries in each list of people.

    Raises:
        NotPlanted: it is no such JSON, or nobody in it could be reached.
    """
    text, codec, encoding = decoded(data)
    try:
        lists, lone = list(_lists(text)), ","
    except (ValueError, RecursionError):
        lists, lone = _lines(text), "\n"
    out: list[str] = []
    done = tables = 0
    for places, records in lists:
        made = list(_inserted(text, (places, records), canaries, lone))
        tables += bool(made)
        for at, record in made:
            out += [text[done:at], record]
            done = at
    if not tables:
        raise NotPlanted("no_contact")
    out.append(text[done:])
    try:
        content = "".join(out).encode(codec)
        return Planted(data=content, records=tables * len(canaries), tables=tables, encoding=encoding)
    except UnicodeError as error:
        raise NotPlanted("encoding") from error


def _inserted(
    text: str, found: tuple[list[int], list[dict[str, Any]]], canaries: list[Canary], lone: str
) -> Iterator[tuple[int, str]]:
    """Where to put what; places ascend. `lone` parts two records where there was one."""
    places, records = found
    names = list(dict.fromkeys(name for record in records[:300] for name in record))
    rows = [[_flat(record.get(name)) for name in names] for record in records]
    table = read_table(names, rows)
    if not table.takes:
        return
    escaped = "\\u" in text[places[0] : places[0] + 4000]
    # what stands between two records goes between a canary and the next one, new lines and indents included
    apart = text[_end(text, places[0]) : places[1]] if len(places) > 1 else lone
    for near, canary in sorted(zip(spread(len(canaries), len(rows)), canaries, strict=True), key=lambda pair: pair[0]):
        like = records[near]
        cells = dict(zip(names, table.record(canary, near), strict=True))
        made = {name: cells[name] if _flat(value) is value else None for name, value in like.items()}
        raw = text[places[near] : _end(text, places[near])]
        indent = 0
        if "\n" in raw and (inner := re.match(r"\{\s*\n([ \t]*)", raw)):
            before = text.rfind("\n", 0, places[near]) + 1
            outer = len(text[before : places[near]]) - len(text[before : places[near]].lstrip())
            indent = max(0, len(inner[1]) - outer)
            body = json.dumps(made, ensure_ascii=escaped, indent=indent)
            body = body.replace("\n", "\n" + " " * outer)
        else:
            tight = '":' in raw and '": ' not in raw
            body = json.dumps(made, ensure_ascii=escaped, separators=(",", ":") if tight else None)
        yield places[near], body + apart


def _flat(value: Any) -> Any:
    """A value as a cell; what is nested is none and stays empty in a canary."""
    return None if isinstance(value, dict | list) else value


def _end(text: str, start: int) -> int:
    return int(_DECODER.raw_decode(text, start)[1])


def _lists(text: str) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Each list of objects: at the top, or a member of the object at the top; its records and where they begin.

    Raises:
        ValueError: it is not one JSON document.
    """
    at = _skip(text, 0)
    if text[at : at + 1] == "[":
        places, records, end = _array(text, at)
        if text[_skip(text, end) :]:
            raise ValueError("something follows")
        if records:
            yield places, records
        return
    if text[at : at + 1] != "{":
        raise ValueError("neither list nor object")
    found = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        _key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise ValueError("no colon")
        at = _skip(text, at + 1)
        if text[at : at + 1] == "[":
            places, records, at = _array(text, at)
            if records:
                found.append((places, records))
        else:
            at = _end(text, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "}":
            raise ValueError("no comma")
    if text[_skip(text, at + 1) :]:
        raise ValueError("something follows")
    yield from found


def _array(text: str, at: int) -> tuple[list[int], list[dict[str, Any]], int]:
    """Records of a list of objects, where each begins, and where the list ends; no records if it is another list."""
    places, records, objects = [], [], True
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        value, end = _DECODER.raw_decode(text, at)
        objects = objects and isinstance(value, dict)
        places.append(at)
        records.append(value)
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise ValueError("no comma")
    return (places, records, at + 1) if objects else ([], [], at + 1)


def _lines(text: str) -> list[tuple[list[int], list[dict[str, Any]]]]:
    """An object a line.

    Raises:
        NotPlanted: a line is none.
    """
    places, records, at = [], [], 0
    for line in text.splitlines(keepends=True):
        if line.strip(" \t\r\n\ufeff"):
            start = at + len(line) - len(line.lstrip(" \t\ufeff"))
            try:
                value, _ = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError) as error:
                raise NotPlanted("malformed") from error
            if not isinstance(value, dict):
                raise NotPlanted("format")
            places.append(start)
            records.append(value)
        at += len(line)
    return [(places, records)] if records else []


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()
