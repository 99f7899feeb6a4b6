"""`approval.list` and `approval.give`: a person's word, by account on this server or by the code that was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from agent.approvals.approving import VERSION_MARK, How, Standing, approve, asked_about, versioned, waiting
from agent.messages.codes import redeem
from agent.operation import Answer, Request
from config.errors import RefusedError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent


def list_waiting(agent: Agent, request: Request) -> Answer:
    """`cloche.approvals/1`: what waits for somebody's word."""
    request.may(*get_args(Role))
    return Answer(document={"schema": "cloche.approvals/1", "waiting": [document_of(item) for item in waiting(agent)]})


def give(agent: Agent, request: Request) -> Answer:
    """Give the caller's word, or that of the person whose code is shown, for `SUBJECT#DIGEST` or the newest version.

    Raises:
        RefusedError: the account is no person's, the code is wrong or has expired, or this word does not count.
        UsageError: nothing of this name waits.
    """
    subject, _, version = str(request.arguments.get("subject") or "").partition(VERSION_MARK)
    name, code = str(request.arguments.get("person") or ""), str(request.arguments.get("code") or "")
    how: How = "account"
    if code:
        person = agent.people.named(name)
        if person is None:
            raise RefusedError(agent.text("approval.wrong_code"))
        how = redeem(agent, name, asked_about(agent, subject), code).how
    else:
        person = agent.people.of_account(request.caller.user)
        if person is None:
            raise RefusedError(agent.text("approval.no_person", user=request.caller.user))
    found = approve(agent, subject, person, how, version)
    return Answer(document={"schema": "cloche.approval/1", "person": person.name, **document_of(found)})


def document_of(found: Standing) -> dict[str, Any]:
    """As JSON."""
    return {
        "act": found.act, "subject": found.subject,
        "name": versioned(found.subject, found.digest), "digest": found.digest, "about": found.about,
        "asked_by": found.asked_by, "asked_at": found.asked_at.isoformat(),
        "given": [{"person": word.person, "how": word.how, "at": word.at.isoformat()} for word in found.given],
        "missing": found.missing,
    }  # fmt: skip
