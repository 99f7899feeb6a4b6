"""Text that every format can show: what would be invisible, no XML, or turn a name around is written out.

Control characters are no XML (https://www.w3.org/TR/xml/#charsets); bidirectional controls make `exe.txt` of `txt.exe`
(Unicode TR 36, 2.5). Both are shown as `\\x..` and `\\u....`.
"""

from __future__ import annotations

import re
from typing import Final

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\uffff]"
)


def plain(text: str) -> str:
    """The text with what cannot be shown written out; tab and line feed stay."""
    return _HIDDEN.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
