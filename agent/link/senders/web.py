"""One web request to somebody else's server, whose answer may be anything.

At most 64 KiB of the answer are read; redirects are not followed, for the address is a secret and so may be the body;
the proxy variables of the environment are not heeded.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import certifi
import httpx

from agent.link.bounded import ask
from agent.link.senders.outcome import Outcome, failed

SECONDS: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer with status 2xx."""

    body: bytes

    @property
    def text(self) -> str:
        """As text."""
        return self.body.decode("utf-8", "replace")

    @property
    def document(self) -> dict[str, Any] | None:
        """As a JSON object; None where it is none."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None


@cache
def trust() -> ssl.SSLContext:
    """Whom to believe: the machine's own authorities, and certifi's where it has none. Made once, before rights go."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(cafile=certifi.where())
    return context


def request(
    method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Said | Outcome:
    """Ask once: the answer, or how it failed."""
    try:
        with httpx.Client(verify=trust(), timeout=SECONDS, trust_env=False, follow_redirects=False) as client:
            answer = ask(client, method, url, content=content, headers=headers)
    except httpx.TimeoutException:
        return failed("timeout")
    except httpx.ConnectError as error:
        return failed("tls" if isinstance(_root(error), ssl.SSLError) else "unreachable")
    except (httpx.ProtocolError, httpx.DecodingError):
        return failed("bad_answer")
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
        return failed("unreachable", type(error).__name__)
    if 300 <= answer.status < 400:
        return failed("redirected", f"HTTP {answer.status}")
    if answer.status in (429, 502, 503, 504):
        return failed("busy", f"HTTP {answer.status}")
    if answer.status in (401, 403):
        return failed("login", f"HTTP {answer.status}")
    if answer.status == 413:
        return failed("too_large", "HTTP 413")
    if not 200 <= answer.status < 300:
        return failed("refused", f"HTTP {answer.status}")
    return Said(body=answer.body)


def as_json(document: Any) -> bytes:
    """A body."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


def _root(error: BaseException) -> BaseException:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error
