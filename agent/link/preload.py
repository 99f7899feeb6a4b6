"""Load everything the network part will ever need, while it may still be read.

Once rights are dropped, the interpreter's own folder may be out of reach (a checkout or a Python under a home of mode
0700), and an import that happens late would fail: httpx loads its transport with the first client, Python the `idna`
codec with the first connection, `importlib.resources` its readers with the first text.
"""

from __future__ import annotations

import encodings.idna
import stringprep
import unicodedata
from types import ModuleType
from typing import Final

import httpx

from config.text import load_packs

LATE: Final[tuple[ModuleType, ...]] = (encodings.idna, stringprep, unicodedata)


def preload() -> None:
    """Load the transport and the texts."""
    httpx.Client(verify=False, trust_env=False).close()  # noqa: S501  never connects
    load_packs()
