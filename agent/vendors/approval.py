"""Who approves that data leaves the store, or that a vendor comes in.

Whoever approves by role does so by asking for it. Anybody else needs the word of one who may (`agent.approvals`). Where
nobody in the settings could approve, no name stands on record, and it is done all the same: a shop of one person has a
contract with its delivery service too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agent.approvals import require
from agent.approvals.rules import RULES
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.operation import Request
    from agent.wiring import Agent


def approved_by(
    agent: Agent, request: Request, act: Literal["share", "let_in"], subject: str, version: tuple[str, str]
) -> str:
    """Who approved, masked; '' where nobody could. `version`: digest of what is approved, and what it is in a sentence.

    Raises:
        RefusedError: the word of somebody is missing; whoever may give it has been asked.
    """
    digest, about = version
    if not agent.people.holding(RULES[act].roles):
        return ""
    standing = require(agent, act, subject, digest, about, request.caller.user)
    return agent.mask("、".join(word.person for word in standing.given))


def number_of(request: Request, name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`; `default` where it is absent.

    Raises:
        UsageError: it is none, or out of bounds.
    """
    value = request.arguments.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UsageError(f"--{name.replace('_', '-')}: a whole number from 1 to {most}")
    return value


def text_of(request: Request, name: str, *, needed: bool = False, longest: int = 2000) -> str:
    """A text argument, '' where it is absent.

    Raises:
        UsageError: it is no text, or missing though needed.
    """
    value = request.arguments.get(name) or ""
    if not isinstance(value, str):
        raise UsageError(f"{name}: must be text")
    value = " ".join(value.split())[:longest]
    if needed and not value:
        raise UsageError(f"--{name.replace('_', '-')}: is missing")
    return value
