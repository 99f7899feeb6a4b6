"""Paths of items: bytes inside, text outside, and which file a member or a table lies in.

Outside, a path is text with `%`, `!` and `#` of its names percent-escaped, so that `FILE!member` and `FILE#table`
read one way only. A name that is no UTF-8 is shown with U+FFFD and goes with its bytes in base64 beside it.
"""

from __future__ import annotations

import base64
from typing import Final

from scanners.records import Item

SEPARATORS: Final = (b"!", b"#")
ESCAPES: Final = ((b"%", b"%25"), (b"!", b"%21"), (b"#", b"%23"))


def escape(name: bytes) -> bytes:
    """A name with the three characters that have a meaning in an item's path escaped."""
    for plain, escaped in ESCAPES:
        name = name.replace(plain, escaped)
    return name


def container_of(item: Item, file: bytes) -> bytes | None:
    """`file` if the item is a member or a table in it, None if it is a file of its own."""
    if item.identity is not None or not file:
        return None
    prefixes = [name + mark for name in (file, escape(file)) for mark in SEPARATORS]
    return file if item.path.startswith(tuple(prefixes)) else None


def path_fields(path: bytes) -> dict[str, str]:
    """`path`, with `path_b64` beside it where the bytes are no UTF-8."""
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path": path.decode("utf-8", "replace"), "path_b64": base64.b64encode(path).decode("ascii")}
