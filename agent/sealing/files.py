"""The operations `protect`, `unprotect` and `open`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from agent.operation import Answer, Request
from agent.sealing.opening import open_sealed
from agent.sealing.policy import seal_by_policy
from agent.sealing.recording import Record
from agent.sealing.walking import files_under, is_system, looks_sealed, shown, wanted_paths
from agent.wiring import Agent
from config.errors import ExitCode, RefusedError
from config.schema import Role
from containment.places import NotDoneError
from containment.sealed import key_ids
from containment.sealing import Refused, Sealed, Sealer, group_links
from containment.unsealing import Owner, Restored, Unsealer

SEALERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "tech_support", "store_manager",
    "franchisee",
)  # fmt: skip
UNSEALERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "response_lead", "store_manager", "franchisee",
)  # fmt: skip

__all__ = ["open_sealed", "protect", "unprotect"]


def protect(agent: Agent, request: Request) -> Answer:
    """Seal every regular file under the paths.

    Arguments: `paths`; `only_findings`: those in which something was found; `by_policy`: instead of paths, what the
    daemon would seal by itself; `dry_run`: only say so.

    Raises:
        UsageError: a path does not exist.
        RefusedError: there is no recovery key, the caller has no role, or a path is the operating system's.
    """
    request.may(*SEALERS)
    dry_run = bool(request.arguments.get("dry_run"))
    if not agent.keyring.ready and not dry_run:
        raise RefusedError(agent.text("protect.no_keys"))
    if request.arguments.get("by_policy"):
        run = seal_by_policy(agent, dry_run=dry_run, actor=request.caller.user)
        return _protected(run.sealed, run.refused, run.would_seal, already=0, dry_run=dry_run)
    files, refused, already = _candidates(agent, request)
    groups = group_links(files)
    sealer = Sealer(agent.journal, agent.keyring)
    record = Record(agent, "protect", request.caller.user)
    sealed: list[Sealed] = []
    would_seal: list[bytes] = []
    try:
        for number, group in enumerate(groups, start=1):
            try:
                if dry_run:
                    sealer.check(group)
                    would_seal.extend(group)
                else:
                    sealed.append(sealer.seal(group))
                    record.sealed(sealed[-1])
            except NotDoneError as error:
                refused.extend(Refused(path=path, cause=error.cause) for path in group)
            request.progress({"done": number, "total": len(groups)})
    finally:
        if not dry_run:
            record.finish([item.cause for item in refused])
    return _protected(sealed, refused, would_seal, already=already, dry_run=dry_run)


def _candidates(agent: Agent, request: Request) -> tuple[list[bytes], list[Refused], int]:
    """Files to seal, files that are refused at sight, and how many are sealed already.

    Raises:
        RefusedError: a path belongs to the operating system.
    """
    paths = wanted_paths(agent, request)
    for path in paths:
        if is_system(path):
            raise RefusedError(agent.text("protect.system", path=path.decode("utf-8", "backslashreplace")))
    found: set[bytes] | None = None
    if request.arguments.get("only_findings"):
        found = {
            item.container or item.path
            for path in paths
            for item in agent.inventory.items(states=("plain",), under=path)
            if item.findings
        }
    settings = agent.settings.watch
    kept = {os.path.realpath(os.fsencode(path)) for path in (*settings.decoys, *settings.protected_programs)}
    files: dict[bytes, None] = {}
    refused: dict[bytes, Refused] = {}
    already = 0
    for path, regular in (entry for top in paths for entry in files_under(top, agent.home)):
        if path in files or path in refused:
            continue
        if not regular:
            if os.path.isdir(path):
                refused[path] = Refused(path=path, cause="permission")
            elif path in paths:  # a pipe or socket that merely lies in a folder holds nothing to seal
                refused[path] = Refused(path=path, cause="special")
        elif looks_sealed(path):
            already += 1
        elif found is not None and path not in found:
            continue
        elif path in kept:
            refused[path] = Refused(path=path, cause="protected")
        else:
            files[path] = None
    return list(files), list(refused.values()), already


def _protected(
    sealed: Sequence[Sealed], refused: Sequence[Refused], would_seal: Sequence[bytes], *, already: int, dry_run: bool
) -> Answer:
    document: dict[str, Any] = {
        "schema": "cloche.protect/1",
        "dry_run": dry_run,
        "sealed": [
            {**shown(path), **shown(sealed_path, "sealed_path"), "size": item.size}
            for item in sealed
            for path, sealed_path in zip(item.paths, item.sealed_paths, strict=True)
        ],
        "would_seal": [shown(path) for path in would_seal],
        "refused": [{**shown(item.path), "cause": item.cause} for item in refused],
        "already_sealed": already,
        "causes": dict(Counter(item.cause for item in refused)),
    }
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if refused else ExitCode.DONE)


def unprotect(agent: Agent, request: Request) -> Answer:
    """Bring every sealed file under the paths back.

    Arguments: `paths`. Descriptors: the key file.

    Raises:
        UsageError: a path does not exist, or the key file is none.
        RefusedError: no key was given, it opens none of them, or the caller has no role.
    """
    request.may(*UNSEALERS)
    paths = wanted_paths(agent, request)
    if not request.descriptors:
        raise RefusedError(agent.text("keys.missing", ids=", ".join(r.id for r in agent.keyring.recipients) or "—"))
    unlocker = agent.keyring.unlocker(request.descriptors[0])
    owner = Owner(uid=request.caller.uid, gid=request.caller.gid)
    unsealer = Unsealer(agent.journal, agent.keyring, unlocker, owner)
    files = list(
        dict.fromkeys(
            path for top in paths for path, regular in files_under(top, agent.home) if regular and looks_sealed(path)
        )
    )
    record = Record(agent, "unprotect", request.caller.user)
    restored: list[Restored] = []
    refused: list[Refused] = []
    gone: set[bytes] = set()
    try:
        for number, path in enumerate(files, start=1):
            if path not in gone:  # another name of a file that is back already
                try:
                    restored.append(unsealer.unseal(path))
                    record.restored(restored[-1])
                    gone.update(restored[-1].sealed_paths)
                except NotDoneError as error:
                    refused.append(Refused(path=path, cause=error.cause))
            request.progress({"done": number, "total": len(files)})
    finally:
        record.finish([item.cause for item in refused])
    if refused and not restored and {item.cause for item in refused} == {"key"}:
        raise RefusedError(_wrong_key(agent, refused[0].path, unlocker.key_ids))
    document = {
        "schema": "cloche.unprotect/1",
        "restored": [
            {**shown(path), "size": item.size, "trusted": item.trusted} for item in restored for path in item.paths
        ],
        "refused": [{**shown(item.path, "sealed_path"), "cause": item.cause} for item in refused],
    }
    failed = ExitCode.INCOMPLETE if restored else ExitCode.FAILED
    return Answer(document=document, exit_code=failed if refused else ExitCode.DONE)


def _wrong_key(agent: Agent, path: bytes, given: Sequence[str]) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        wanted = key_ids(descriptor)
    finally:
        os.close(descriptor)
    return agent.text(
        "keys.wrong", file=path.decode("utf-8", "backslashreplace"), wanted=", ".join(wanted), given=", ".join(given)
    )
