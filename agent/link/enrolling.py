"""Talk to head office for the first time: is it the one that made our token? Only then show the token.

The certificate is first fetched from whoever answers, unverified, and compared with the token's pin (SHA-256 of
the authority's key). Everything after that goes over a connection which that authority vouches for, host name
included. One certificate is taken from the answer, never a second one behind it.
"""

from __future__ import annotations

import hmac
import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from agent.link.bounded import Answered, ask
from agent.link.preload import preload
from agent.link.request import Exchange, pin_of_certificate
from central.wire import HEADER_SIGNATURE, HEADER_WIRE, WIRE
from config.errors import ClocheError, ExitCode, RefusedError
from config.privileges import become_nobody
from config.text import Text

SECONDS: Final = 20.0
TOKEN_WORDS: Final = frozenset({"token_used", "token_expired", "token_unknown", "store_revoked", "key_taken"})


@dataclass(frozen=True, kw_only=True)
class Introduced:
    """What came back: the authority to trust from now on, and head office's answer."""

    authority_pem: str
    answer: dict[str, Any]


def introduce(exchange: Exchange, text: Text) -> Introduced:
    """Check who is there, then enrol.

    Raises:
        RefusedError: another head office answers, or it refuses the token.
        ClocheError: it cannot be reached, or answers something else.
    """
    try:
        authority = _fetch_authority(exchange, text)
        context = ssl.create_default_context(cadata=authority)
        with _client(exchange.url, context) as client:
            answer = ask(
                client, "POST", "/v1/enrol", content=exchange.body,
                headers={HEADER_WIRE: str(WIRE), HEADER_SIGNATURE: exchange.signature},
            )  # fmt: skip
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
        reason = str(error.__cause__ or error) or type(error).__name__
        raise ClocheError(text("link.unreachable", url=exchange.url, reason=reason[:200])) from error
    return Introduced(authority_pem=authority, answer=_read(answer, exchange.url, text))


def _fetch_authority(exchange: Exchange, text: Text) -> str:
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE  # the pin decides; nothing secret is sent here
    with _client(exchange.url, unverified) as client:
        content = ask(client, "GET", "/v1/ca").body
    try:
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError as error:
        raise ClocheError(text("link.bad_answer", url=exchange.url)) from error
    if not hmac.compare_digest(pin_of_certificate(certificate), exchange.pin):
        raise RefusedError(text("link.wrong_pin", url=exchange.url))
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _client(url: str, context: ssl.SSLContext) -> httpx.Client:
    return httpx.Client(base_url=url, verify=context, timeout=SECONDS, trust_env=False, follow_redirects=False)


def _read(answer: Answered, url: str, text: Text) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
        word = str(document.get("error", ""))
    except (ValueError, AttributeError, RecursionError) as error:
        raise ClocheError(text("link.bad_answer", url=url)) from error
    if answer.status == 200:
        return dict(document)
    if word in TOKEN_WORDS:
        raise RefusedError(text(f"link.{word}"))
    if answer.status == 429:
        raise ClocheError(text("link.busy", url=url))
    if answer.status in (401, 403):
        raise RefusedError(text("link.refused", status=answer.status, word=word[:40]))
    raise ClocheError(text("link.refused", status=answer.status, word=word[:40]))


def in_unprivileged_child(work: Callable[[], Introduced], account: str) -> Introduced:
    """Do the network part without root's rights: in a forked child that has become `account` (or nobody).

    Raises:
        ClocheError: what `work` raised, or the child died.
    """
    if os.geteuid() != 0:
        return work()
    preload()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, account, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    try:
        outcome = json.loads(said)
    except ValueError as error:
        raise ClocheError("the process that talks to head office died") from error
    if "error" in outcome:
        wrong: type[ClocheError] = RefusedError if outcome["code"] == ExitCode.REFUSED else ClocheError
        raise wrong(outcome["error"])
    return Introduced(authority_pem=outcome["authority_pem"], answer=outcome["answer"])


def _child(work: Callable[[], Introduced], account: str, writing: int) -> None:
    """The child's whole life; it never returns."""
    outcome: dict[str, Any] = {}
    try:
        become_nobody(account)
        introduced = work()
        outcome = {"authority_pem": introduced.authority_pem, "answer": introduced.answer}
    except ClocheError as error:
        outcome = {"error": str(error), "code": int(error.exit_code)}
    finally:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(outcome).encode() if outcome else b"")
        os._exit(0)
