"""Become a store of a head office. The daemon has no network: the command line carries the letters.

Two steps of one operation: `prepare` writes and signs the request with the store's key, `finish` takes head office's
answer, checks its authority against the token once more, and adopts the chain's keys. Between them the command line
speaks with head office (`agent.link.enrolling`).
"""

from __future__ import annotations

import hmac
from typing import Any, Final

from cryptography import x509

from agent.link.credentials import make_request, take
from agent.link.request import is_number, pin_of_certificate, pin_of_token, write_request
from agent.link.settings import SETTINGS_FILE, Enrolment
from agent.link.trust import read_answer, save
from agent.operation import Answer, Request
from agent.reporting import report_health, report_inventory, report_record
from agent.wiring import Agent
from config.errors import ClocheError, RefusedError, UsageError
from config.identity import decode_public, key_id

MAX_TEXT: Final = 200
WAITING_KEY: Final = "tls.enrol"


def enrol(agent: Agent, request: Request) -> Answer:
    """`prepare` or `finish`, by `arguments["step"]`.

    Raises:
        UsageError: no token, or no address of a head office.
        RefusedError: the caller is neither owner nor leader, or the answer is another head office's.
        ClocheError: the answer does not fit, or the disk refused it.
    """
    request.may("security_lead")
    if request.arguments.get("step") == "finish":
        return _finish(agent, request)
    return _prepare(agent, request)


def _prepare(agent: Agent, request: Request) -> Answer:
    token, name = str(request.arguments["token"]), agent.mask(agent.settings.store.name)
    try:
        pin_of_token(token)
        csr = make_request(agent.home.keys / WAITING_KEY)
        letter = write_request(token, agent.keyring.public_key, name, agent.keyring.sign, csr=csr)
    except ValueError as error:
        raise UsageError(agent.text("link.bad_token", reason=str(error))) from error
    return Answer(document={"schema": "cloche.enrol-request/1", **letter})


def _finish(agent: Agent, request: Request) -> Answer:
    url, authority = str(request.arguments["url"]), str(request.arguments["authority_pem"])
    try:
        pin = pin_of_token(str(request.arguments["token"]))
        theirs = pin_of_certificate(x509.load_pem_x509_certificate(authority.encode()))
    except ValueError as error:
        raise ClocheError(agent.text("link.bad_answer", url=url)) from error
    if not hmac.compare_digest(theirs, pin):
        raise RefusedError(agent.text("link.wrong_pin", url=url))
    answer = request.arguments["answer"]
    settings, recovery, hq, following = _read_answer(agent, url, authority, answer)
    try:
        trust = read_answer(answer)
    except ValueError as error:
        raise ClocheError(agent.text("link.bad_answer", url=url)) from error
    if recovery is not None:
        agent.keyring.adopt(recovery, hq)
    save(agent.home, trust)
    agent.outbox.continue_at(following)
    agent.outbox.place(SETTINGS_FILE, settings.encode())
    (agent.home.keys / WAITING_KEY).unlink(missing_ok=True)
    agent.audit.append(
        "enrol", request.caller.user, hq=agent.mask(settings.hq), url=url, store=settings.store,
        recovery=key_id(recovery) if recovery else None,
    )  # fmt: skip
    report_inventory(agent)
    report_record(agent)
    report_health(agent)
    return Answer(
        document={
            "schema": "cloche.enrolled/1", "hq": settings.hq, "url": url, "store": settings.store,
            "name": settings.name, "recovery": key_id(recovery) if recovery else None,
            "hq_key": key_id(hq) if hq else None,
        }
    )  # fmt: skip


def _read_answer(
    agent: Agent, url: str, authority: str, answer: dict[str, Any]
) -> tuple[Enrolment, bytes | None, bytes | None, int]:
    try:
        credentials = take(
            agent.home.keys / WAITING_KEY, str(answer["certificate"]), authority, str(answer["store"])[:40]
        )
        settings = Enrolment(
            url=url, authority_pem=authority, store=str(answer["store"])[:40], name=str(answer["name"])[:MAX_TEXT],
            hq=str(answer["hq"])[:MAX_TEXT], retry_seconds=agent.settings.link.retry_seconds,
            max_retry_seconds=agent.settings.link.max_retry_seconds, certificate_pem=credentials.certificate_pem,
            key_pem=credentials.key_pem, certificate_seconds=credentials.seconds, received_at=agent.now().isoformat(),
        )  # fmt: skip
        recovery = decode_public(answer["recovery"]) if answer["recovery"] else None
        hq = decode_public(answer["hq_key"]) if answer["hq_key"] else None
        following = int(answer["next_number"])
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise ClocheError(agent.text("link.bad_answer", url=url)) from error
    if not is_number(following):
        raise ClocheError(agent.text("link.bad_answer", url=url))
    return settings, recovery, hq, following
