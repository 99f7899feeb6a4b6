"""Paths of items: bytes inside, text outside, and which file a member or a table lies in.

Outside, a path is text with `%`, `!` and `#` of its names percent-escaped, so that `FILE!member` and `FILE#table`
read one way only. A path that is no UTF-8 is shown with U+FFFD and goes with its bytes in base64 beside it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Final

from scanners.records import Item

SEPARATORS: Final = (b"!", b"#")
ESCAPES: Final = ((b"%", b"%25"), (b"!", b"%21"), (b"#", b"%23"))


def escape(name: bytes) -> bytes:
    """A name with the three characters that have a meaning in an item's path escaped."""
    for plain, escaped in ESCAPES:
        name = name.replace(plain, escaped)
    return name


def unescape(name: bytes) -> bytes:
    """Inverse of `escape`; other percent signs stay."""
    for plain, escaped in reversed(ESCAPES):
        name = name.replace(escaped, plain)
    return name


def container_of(item: Item, file: bytes) -> bytes | None:
    """`file` if the item is a member or a table in it, None if it is a file of its own."""
    if item.identity is not None or not file:
        return None
    return file if prefix_of(item.path, file) else None


def prefix_of(path: bytes, file: bytes) -> bytes:
    """What `path` begins with if it lies in `file`: the file's name, escaped or as it is; else nothing."""
    for name in (escape(file), file):
        if path.startswith(tuple(name + mark for mark in SEPARATORS)):
            return name
    return b""


def shown_path(path: bytes, container: bytes | None) -> bytes:
    """A path with the names in it escaped. What stands after the file's own name is escaped already."""
    if container is None:
        return escape(path)
    return escape(container) + path[len(prefix_of(path, container)) :]


def file_of(shown: str) -> str:
    """The file's part of a path as shown: the place that people count."""
    return shown.split("!", 1)[0].split("#", 1)[0]


def path_fields(shown: bytes, mask: Callable[[str], str] | None = None) -> dict[str, str]:
    """`path`, with `path_b64` beside it where the bytes are no UTF-8 and nothing needs to be masked."""
    try:
        text = shown.decode("utf-8")
    except UnicodeDecodeError:
        text = shown.decode("utf-8", "replace")
        if mask is None:
            return {"path": text, "path_b64": base64.b64encode(shown).decode("ascii")}
    return {"path": mask(text) if mask else text}
