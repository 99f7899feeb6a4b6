"""`assess.dispose`: stale exports, exposed files, backups and files on sticks put right in one step, after a look.

It chooses from the inventory, as it lies there now, and hands the set to the operations that exist: `protect` and
`quarantine.add`. What changed since the scan is not touched: it is no longer what was judged.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from agent.assess.look import Look
from agent.assess.measures.exposure import is_exposed, lets_pass
from agent.assess.measures.storage import EXPORTS, is_backup
from agent.assess.survey import Held
from agent.inventory.paths import path_fields
from agent.operation import Answer, Request
from agent.quarantining import MAY_ADD, add
from agent.sealing.files import SEALERS, protect
from agent.sealing.walking import is_system, is_under
from config.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from agent.wiring import Agent

WHICH: Final = ("stale", "exposed", "shared", "removable", "backups")


def dispose(agent: Agent, request: Request) -> Answer:
    """Seal or put away what was chosen: `cloche.assess.dispose/1`.

    Arguments: `which`, some of `WHICH` (default: stale); `older_than`, days; `how`, `seal` or `vault`; `preview`.

    Raises:
        UsageError: no such choice, or no age for what is stale.
        RefusedError: the caller has no role, or there is no key.
    """
    how = str(request.arguments.get("how") or "seal")
    if how not in ("seal", "vault"):
        raise UsageError("--seal or --vault: one of them")
    request.may(*(MAY_ADD if how == "vault" else SEALERS))
    look = Look(agent=agent, now=agent.now())
    chosen, changed = choose(look, request.arguments)
    document: dict[str, Any] = {
        "schema": "cloche.assess.dispose/1", "how": how, "preview": bool(request.arguments.get("preview")),
        "files": [_fields(agent, request, file) for file in chosen],
        "persons": look.survey.persons_in(chosen),
        "changed": len(changed), "done": 0, "refused": [],
    }  # fmt: skip
    if document["preview"] or not chosen:
        return Answer(document=document, exit_code=ExitCode.INCOMPLETE if changed else ExitCode.DONE)
    paths = [os.fsdecode(file.path) for file in chosen]
    inner = replace(request, arguments={"paths": paths})
    answer = protect(agent, inner) if how == "seal" else add(agent, inner)
    done = answer.document["sealed"] if how == "seal" else answer.document["entries"]
    document |= {"done": len(done), "refused": answer.document["refused"]}
    agent.audit.append(
        "assess.dispose", request.caller.user, how=how, which=list(_which(request.arguments)), chosen=len(chosen),
        done=len(done), refused=len(document["refused"]),
    )  # fmt: skip
    incomplete = changed or answer.exit_code != ExitCode.DONE
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if incomplete else ExitCode.DONE)


def choose(look: Look, arguments: dict[str, Any]) -> tuple[list[Held], list[Held]]:
    """The files that are meant, worst first, and those among them that changed since the scan.

    Raises:
        UsageError: no such choice, or no age for what is stale.
    """
    which = _which(arguments)
    older = arguments.get("older_than")
    if which == ("stale",) and older is None:
        older = look.limit("stale_exports", "days")
    if older is not None and float(older) < 0:
        raise UsageError("--older-than: days, not less than 0")
    passes = cache(lets_pass)
    shares = [path for _name, path in look.machine.shares()] if "shared" in which else []
    media = look.machine.removable() if "removable" in which else ()
    found = []
    for file in look.survey.strays:
        wanted = (
            ("stale" in which and file.kind in EXPORTS)
            or ("backups" in which and is_backup(file))
            or ("exposed" in which and is_exposed(file, passes))
            or any(is_under(file.path, share) for share in shares)
            or any(is_under(file.path, point) for point in media)
        )
        if wanted and not is_system(file.path) and (older is None or file.age_days(look.now) > float(older)):
            found.append(file)
    found.sort(key=lambda file: (-file.persons, file.path))
    kept = {os.path.realpath(os.fsencode(path)) for path in look.agent.settings.watch.decoys}
    found = [file for file in found if file.path not in kept]
    return [file for file in found if not file.changed], [file for file in found if file.changed]


def _which(arguments: dict[str, Any]) -> tuple[str, ...]:
    which = tuple(str(name) for name in arguments.get("which") or ("stale",))
    unknown = [name for name in which if name not in WHICH]
    if unknown:
        raise UsageError(f"{unknown[0]!r}: none of {', '.join(WHICH)}")
    return which


def _fields(agent: Agent, request: Request, file: Held) -> dict[str, Any]:
    """A file as JSON: its real path for the owner, masked for whoever else has a role."""
    mask = None if request.caller.is_owner else agent.mask
    return {
        **path_fields(file.path, mask), "kind": file.kind, "persons": file.persons, "level": file.level,
        "days": int(file.age_days(agent.now())),
    }  # fmt: skip
