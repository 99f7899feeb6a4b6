"""Formats that are known and not read: they are named, and count as unread.

Magic numbers after file(1) 5.44. A picture may be a photographed id card, an unknown archive may hold a member list:
nothing of this is called clean.
"""

from __future__ import annotations

from typing import Final, NoReturn

from config.schema import ItemKind
from scanners.extract.api import Notes, Refused, Source

_IMAGES: Final = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"8BPS", b"\0\0\1\0", b"\xd7\xcd\xc6\x9a",
)  # fmt: skip
_ARCHIVES: Final = (
    b"7z\xbc\xaf'\x1c", b"Rar!", b"MSCF", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x1f\x9d", b"!<arch>", b"xar!",
    b"hsqs", b"070707", b"070701", b"\xc7\x71", b"LZIP", b"\x89LZO", b"\x60\xea",
)  # fmt: skip


class OpaqueExtractor:
    """One kind of it.

    Args:
        kind: as it is called.
        magics: first bytes; none for whatever is left.
    """

    def __init__(self, kind: ItemKind, magics: tuple[bytes, ...], suffixes: tuple[str, ...] = ()) -> None:
        self.kind: ItemKind = kind
        self._magics = magics
        self._suffixes = suffixes

    def matches(self, source: Source) -> bool:
        """By its first bytes, or its name."""
        return (
            (not self._magics and not self._suffixes)
            or source.head.startswith(self._magics)
            or source.suffix in self._suffixes
        )

    def extract(self, source: Source, notes: Notes) -> NoReturn:
        """Nothing.

        Raises:
            Refused: always.
        """
        del source, notes
        raise Refused("unsupported")


IMAGES: Final = OpaqueExtractor("image", _IMAGES, ("emf", "wmf", "webp", "heic", "tga"))
ARCHIVES: Final = OpaqueExtractor("archive", _ARCHIVES)
ANYTHING: Final = OpaqueExtractor("binary", ())
