"""What a mutating command is: one function that runs in the daemon, or in the command line when there is none.

An operation takes the agent and a request and returns a document (what `--json` prints) with an exit code. It
raises `ClocheError` and never prints. Descriptors come with the request: root never opens a caller's path on the
caller's word. `OPERATIONS` in `agent.operations` is the explicit list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from config.errors import ExitCode, RefusedError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, by the kernel's word (`SO_PEERCRED`), with the roles that root-owned settings give that account."""

    uid: int
    gid: int
    pid: int
    user: str
    roles: frozenset[Role] = frozenset()
    is_owner: bool = False  # root, or the account the daemon runs as


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of an operation. `arguments` are JSON values; paths travel as text with surrogateescape."""

    arguments: dict[str, Any]
    caller: Caller
    descriptors: tuple[int, ...] = ()
    progress: Callable[[dict[str, Any]], None] = field(default=lambda _update: None, repr=False)

    def may(self, *roles: Role) -> None:
        """Let the owner and holders of one of `roles` pass.

        Raises:
            RefusedError: the caller is neither.
        """
        if not self.caller.is_owner and self.caller.roles.isdisjoint(roles):
            raise RefusedError(f"{self.caller.user} has none of the roles {', '.join(roles)}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The document that `--json` prints, with its `schema`, and the exit code."""

    document: dict[str, Any]
    exit_code: ExitCode = ExitCode.DONE


class Operation(Protocol):
    """See the module."""

    def __call__(self, agent: Agent, request: Request, /) -> Answer:
        """Do it.

        Raises:
            ClocheError: nothing was done, or what was done is named in the message.
        """
        ...
