"""The operations `keys.init`, `keys.status`, `keys.rotate` and `keys.recover`.

A recovery identity is made where the person sits, and only its public half comes here: the daemon never sees it.
An old identity is lent by descriptor for the length of one call where headers are re-wrapped or checked.
"""

from __future__ import annotations

import os
from typing import Any, Final

from agent.operation import Answer, Request
from agent.sealing.register import SealedRegister
from agent.sealing.walking import sealed_files, shown
from agent.wiring import Agent
from config.errors import ClocheError, ExitCode, RefusedError
from config.identity import decode_public
from config.schema import Role
from containment.keys import Unlocker
from containment.sealed import key_ids, read_core, rewrap, unseal

KEEPERS: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "privacy_officer", "franchisee")
PROOFS: Final = ("file", "typed")


def _new_public(request: Request) -> bytes:
    """The public key of a request whose private half is proved to be kept.

    Raises:
        RefusedError: nothing says that the private half is kept.
        UsageError: it is no key.
    """
    if request.arguments.get("proof") not in PROOFS:
        raise RefusedError("a recovery key counts only once its file is written or its sheet was typed back")
    return decode_public(str(request.arguments.get("public", "")))


def init(agent: Agent, request: Request) -> Answer:
    """Take the public half of a first recovery key. Arguments: `public`, `proof` (`file` or `typed`).

    Raises:
        RefusedError: there is one already, the proof is missing, or the caller has no role.
    """
    request.may(*KEEPERS)
    public = _new_public(request)
    if agent.keyring.ready:
        raise RefusedError(agent.text("keys.exists", ids=", ".join(r.id for r in agent.keyring.recipients)))
    agent.keyring.adopt(public)
    agent.audit.append(
        "keys.init", request.caller.user, recipients=[recipient.id for recipient in agent.keyring.recipients],
        proof=request.arguments["proof"],
    )  # fmt: skip
    return Answer(document=_document(agent))


def status(agent: Agent, request: Request) -> Answer:
    """Which public keys new files are sealed to, by id; never a secret."""
    del request
    return Answer(document=_document(agent))


def _document(agent: Agent) -> dict[str, Any]:
    return {
        "schema": "cloche.keys/1",
        "ready": agent.keyring.ready,
        "recipients": [{"kind": recipient.kind, "id": recipient.id} for recipient in agent.keyring.recipients],
        "former": list(agent.keyring.former),
        "seal_key": agent.keyring.public_key.hex(),
        "sealed": SealedRegister(agent.inventory.sessions).count(),
    }


def rotate(agent: Agent, request: Request) -> Answer:
    """Seal to a new recovery key from now on. Arguments: `public`, `proof`, `rewrite`. Descriptors: the old key file.

    With `rewrite` the headers of every sealed file that is known are wrapped anew; copies of old headers (backups)
    stay open to the old key.

    Raises:
        RefusedError: there is no key yet, the old one is missing for `rewrite`, or the caller has no role.
    """
    request.may(*KEEPERS)
    public = _new_public(request)
    if not agent.keyring.ready:
        raise RefusedError(agent.text("protect.no_keys"))
    rewrite = bool(request.arguments.get("rewrite"))
    if rewrite and not request.descriptors:
        raise RefusedError(agent.text("keys.missing", ids=", ".join(r.id for r in agent.keyring.recipients)))
    unlocker = agent.keyring.unlocker(request.descriptors[0]) if rewrite else None
    known = {recipient.id for recipient in agent.keyring.recipients} | set(agent.keyring.former)
    if unlocker and known.isdisjoint(unlocker.key_ids):
        raise RefusedError(agent.text("keys.not_ours", given=", ".join(unlocker.key_ids), ids=", ".join(sorted(known))))
    agent.keyring.adopt(public)
    rewritten, failed = 0, []
    files = sealed_files(agent) if unlocker else []
    for number, path in enumerate(files, start=1):
        try:
            if unlocker:
                _rewrap(path, agent, unlocker)
            rewritten += 1
        except (ClocheError, OSError) as error:
            cause = (
                "key"
                if isinstance(error, RefusedError)
                else "corrupt"
                if isinstance(error, ClocheError)
                else "io_error"
            )
            failed.append({**shown(path), "cause": cause})
        request.progress({"done": number, "total": len(files)})
    agent.audit.append(
        "keys.rotate", request.caller.user, recipients=[recipient.id for recipient in agent.keyring.recipients],
        rewritten=rewritten, failed=len(failed),
    )  # fmt: skip
    document = _document(agent) | {"schema": "cloche.keys.rotate/1", "rewritten": rewritten, "failed": failed}
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if failed else ExitCode.DONE)


def _rewrap(path: bytes, agent: Agent, unlocker: Unlocker) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        rewrap(descriptor, unlocker, agent.keyring.recipients)
        os.utime(descriptor, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    finally:
        os.close(descriptor)


def recover(agent: Agent, request: Request) -> Answer:
    """Say what a key is good for: whose it is, and which sealed files known here it opens. Descriptors: the key file.

    The first file is decrypted to its end as a proof; for the others the key's id in the header is compared.

    Raises:
        UsageError: it is no key, or a line is mistyped.
        RefusedError: no key was given, or the caller has no role.
    """
    request.may(*KEEPERS)
    if not request.descriptors:
        raise RefusedError(agent.text("keys.missing", ids=", ".join(r.id for r in agent.keyring.recipients) or "—"))
    unlocker = agent.keyring.unlocker(request.descriptors[0])
    own = unlocker.key_ids[0]
    current = {recipient.id: recipient.kind for recipient in agent.keyring.recipients}
    standing = current.get(own) or ("former" if own in agent.keyring.former else "unknown")
    opens, proved, tried = 0, 0, False
    not_opened = []
    for path in sealed_files(agent):
        cause = None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if own not in key_ids(descriptor):
                cause = "key"
            elif not tried and not read_core(descriptor).outer_key_id:
                tried = True
                unseal(descriptor, None, unlocker)
                proved += 1
        except ClocheError:
            cause = "corrupt"
        finally:
            os.close(descriptor)
        if cause is None:
            opens += 1
        else:
            not_opened.append({**shown(path), "cause": cause})
    agent.audit.append("keys.recover", request.caller.user, key=own, standing=standing, opens=opens)
    document = {
        "schema": "cloche.keys.recover/1",
        "id": own,
        "standing": standing,
        "opens": opens,
        "proved": proved,
        "not_opened": not_opened,
    }
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if not_opened else ExitCode.DONE)
