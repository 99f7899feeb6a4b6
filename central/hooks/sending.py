"""One try of one delivery, to a server that may be anybody's: bounded in time, and nothing of its answer is read."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from dataclasses import dataclass
from typing import Final

from central.hooks.addresses import AddressError, resolve
from central.hooks.outbox import Try
from central.hooks.signing import sign
from central.people.secrets import Secrets
from config.errors import CorruptError

SECONDS: Final = 15.0
GONE: Final = 410


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a try went, in a word or a status."""

    outcome: str
    taken: bool = False
    gone: bool = False


async def send(tried: Try, secrets: Secrets, trust: ssl.SSLContext, *, private: bool) -> Ending:
    """Deliver once. Never raises for what the other side does."""
    import httpx  # loaded with the first delivery: most head offices have no webhook

    try:
        secret = secrets.decrypt(tried.secret, purpose(tried.webhook_id)).decode("ascii")
    except CorruptError:
        return Ending(outcome="secret")
    body = json.dumps(tried.document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    headers = sign(secret, tried.delivery_id, int(time.time()), body) | {
        "Content-Type": "application/json", "User-Agent": "Cloche-HQ",
    }  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            status = await _post(tried.url, body, headers, trust, private=private)
    except AddressError as error:
        return Ending(outcome=str(error))
    except (TimeoutError, httpx.TimeoutException):
        return Ending(outcome="timeout")
    except httpx.ConnectError:
        return Ending(outcome="unreachable")
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError):
        return Ending(outcome="bad_answer")
    return Ending(outcome=f"HTTP {status}", taken=200 <= status < 300, gone=status == GONE)


async def _post(url: str, body: bytes, headers: dict[str, str], trust: ssl.SSLContext, *, private: bool) -> int:
    import httpx

    target = await resolve(url, private=private)
    headers = headers | {"Host": target.authority}
    async with httpx.AsyncClient(verify=trust, timeout=SECONDS, trust_env=False, follow_redirects=False) as client:
        for number, address in enumerate(target.urls, start=1):
            try:
                async with client.stream(
                    "POST", address, content=body, headers=headers, extensions={"sni_hostname": target.host}
                ) as answer:
                    return answer.status_code
            except httpx.ConnectError:
                if number == len(target.urls):
                    raise
    raise AddressError("unresolved")


def purpose(webhook_id: str) -> str:
    """What a webhook's secret is encrypted for: no other one's."""
    return f"webhook {webhook_id}"
