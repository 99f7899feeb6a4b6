"""Load everything the network part will ever need, while it may still be read.

Once rights are dropped, the interpreter's own folder may be out of reach (a checkout or a Python under a home of mode
0700), and an import that happens late would fail: httpx loads its transport with the first client, Python the `idna`
codec with the first connection, `importlib.resources` its readers with the first text.
"""

from __future__ import annotations

import codecs
import email.mime.text
import encodings.idna
import smtplib
import stringprep
import unicodedata
import zoneinfo
from types import ModuleType
from typing import Final

import httpx

from agent.link import page, page_server, senders
from agent.link.senders.web import trust
from config.text import load_packs

LATE: Final[tuple[ModuleType, ...]] = (encodings.idna, stringprep, unicodedata, email.mime.text, smtplib)
OURS: Final[tuple[ModuleType, ...]] = (page, page_server, senders)


def preload() -> None:
    """Load the transport, whom to trust, the texts, and the page with its zones and charsets."""
    httpx.Client(verify=False, trust_env=False).close()  # noqa: S501  never connects
    trust()
    load_packs()
    page.template()
    page.headers()
    for charset in ("base64", "quopri", "ascii", "utf-8", "latin-1"):
        codecs.lookup(charset)
    zoneinfo.ZoneInfo("Asia/Shanghai")
