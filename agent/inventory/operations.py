"""`inventory list`, `show` and `export`: what the inventory knows, without a new scan.

The owner sees real paths. Whoever else has a role sees masked ones; an export is masked for everybody, for it is made
to be passed on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from agent.inventory.document import stored_document
from agent.inventory.paths import shown_path
from agent.inventory.records import StoredItem
from agent.operation import Answer, Request
from config.errors import UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent

MAY_READ: Final = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "privacy_officer", "tech_support",
)  # fmt: skip
THERE: Final = ("plain", "fenced", "sealed", "vault")


def list_items(agent: Agent, request: Request) -> Answer:
    """Items that hold something, worst first: `cloche.inventory.list/1`.

    Arguments, all optional: `level` (the lowest), `states`, `kinds`, `entity`, `under` (an absolute path), `all` (also
    where nothing was found).

    Raises:
        RefusedError: the caller is neither the owner nor has a role that may read the inventory.
    """
    request.may(*MAY_READ)
    mask = None if request.caller.is_owner else agent.mask
    documents = [stored_document(item, mask) for item in chosen(agent, request.arguments)]
    return Answer(document={"schema": "cloche.inventory.list/1", **last_run(agent), "items": documents})


def show_item(agent: Agent, request: Request) -> Answer:
    """One file with what lies in it: `cloche.inventory.show/1`. Argument: `path`, of the file as it is or was.

    Raises:
        RefusedError: the caller is neither the owner nor has a role that may read the inventory.
        UsageError: no scan has met it.
    """
    request.may(*MAY_READ)
    mask = None if request.caller.is_owner else agent.mask
    path = os.fsencode(request.arguments["path"])
    item = agent.inventory.item_at(path)
    if item is None:
        raise UsageError(agent.text("inventory.unknown", path=agent.mask(path.decode("utf-8", "replace"))))
    inside = [part for part in agent.inventory.items(under=item.path) if part.container == item.path]
    document = {
        "schema": "cloche.inventory.show/1",
        "item": stored_document(item, mask),
        "sealed_path": None if item.sealed_path is None else named(item.sealed_path, mask),
        "inside": [stored_document(part, mask) for part in inside if part.state == item.state],
    }
    return Answer(document=document)


def export_items(agent: Agent, request: Request) -> Answer:
    """The same as `list`, masked throughout: `cloche.inventory.export/1`.

    Raises:
        RefusedError: the caller is neither the owner nor has a role that may read the inventory.
    """
    request.may(*MAY_READ)
    documents = [stored_document(item, agent.mask) for item in chosen(agent, request.arguments)]
    agent.audit.append("inventory.exported", request.caller.user, items=len(documents))
    return Answer(document={"schema": "cloche.inventory.export/1", **last_run(agent), "items": documents})


def chosen(agent: Agent, arguments: dict[str, Any]) -> Iterable[StoredItem]:
    """The items that the arguments ask for.

    Raises:
        UsageError: `under` is not absolute.
    """
    under = arguments.get("under")
    if under is not None and not os.path.isabs(under):
        raise UsageError(f"{under}: not an absolute path")
    found = agent.inventory.items(
        states=arguments.get("states") or THERE,
        kinds=arguments.get("kinds") or None,
        min_level=int(arguments.get("level") or 1),
        entity=arguments.get("entity"),
        under=None if under is None else os.fsencode(under),
    )
    return (item for item in found if arguments.get("all") or item.findings)


def last_run(agent: Agent) -> dict[str, Any]:
    """When the inventory was last brought up to date."""
    run = agent.inventory.last_run()
    ended = run.ended_at.isoformat(timespec="seconds") if run and run.ended_at else None
    return {"scanned_at": ended, "clean": bool(run and run.clean)}


def named(path: bytes, mask: Callable[[str], str] | None) -> str:
    """A path as text."""
    text = shown_path(path, None).decode("utf-8", "replace")
    return mask(text) if mask else text
