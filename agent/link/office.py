"""A connection to head office: its authority the only trust, its host's name checked, our certificate shown."""

from __future__ import annotations

import json
import re
import secrets
import ssl
from typing import Final

import httpx

from agent.link.bounded import Answered
from agent.link.settings import Enrolment
from central.wire import HEADER_INSTANCE, HEADER_STORE, HEADER_WIRE, WIRE
from config.errors import ClocheError
from config.tls import client_context

SECONDS: Final = 30.0
_WORD: Final = re.compile(r"[a-z_]{1,40}")


def open_client(enrolment: Enrolment, instance: str, *, seconds: float = SECONDS, bare: bool = False) -> httpx.Client:
    """One connection that says who we are in its headers.

    Args:
        enrolment: where head office is, and our certificate.
        instance: name of this start of the link.
        seconds: longest time without a byte.
        bare: show no certificate (ours has ended).

    Raises:
        ClocheError: the certificates in `link.json` are damaged.
    """
    try:
        shown = ("", "") if bare else (enrolment.certificate_pem, enrolment.key_pem)
        context = client_context(enrolment.authority_pem, *shown)
    except (ssl.SSLError, ValueError) as error:
        raise ClocheError("link.json: the authority's certificate is damaged: run cloche enrol again") from error
    return httpx.Client(
        base_url=enrolment.url, verify=context, timeout=seconds, trust_env=False, follow_redirects=False,
        limits=httpx.Limits(max_connections=1, keepalive_expiry=60),
        headers={HEADER_WIRE: str(WIRE), HEADER_STORE: enrolment.store, HEADER_INSTANCE: instance},
    )  # fmt: skip


def make_instance() -> str:
    """A name for one start of the link, by which head office notices two machines that are the same store."""
    return secrets.token_urlsafe(12)


def word_of(answer: Answered) -> str:
    """The word that head office has for a refusal, '' where it says none."""
    try:
        word = json.loads(answer.body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return word if isinstance(word, str) and _WORD.fullmatch(word) else ""
