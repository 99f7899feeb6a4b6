"""The operation `open`: the content of one sealed file for one person, by descriptors, with a record of who and why.

The caller hands in the sealed file, where the content goes, and the key file, all open: root opens no path on a
caller's word. Who is not the owner of this Cloche needs a role and must have been able to read the original, by its
owner and mode; the rights of the folders above it are not known any more and not judged.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from agent.operation import Answer, Caller, Request
from agent.wiring import Agent
from config.errors import ClocheError, CorruptError, RefusedError, UsageError
from config.schema import Role
from containment.metadata import Metadata
from containment.sealed import is_sealed, key_ids, read_metadata, stream, unseal

OPENERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "store_manager", "area_manager",
    "franchisee", "privacy_officer",
)  # fmt: skip


def open_sealed(agent: Agent, request: Request) -> Answer:
    """Write the content of a sealed file to a descriptor; nothing is released before all of it is verified.

    Arguments: `name`: the file as the caller calls it, for the record; `reason`; `stream`: the target is a pipe or
    terminal. Descriptors: sealed file, target (with `stream` false an empty regular file), key file.

    Raises:
        RefusedError: a key or a role is missing, or the caller could not have read the original.
        UsageError: it is not a sealed file.
        CorruptError: the file was changed or is cut; the target is to be thrown away.
        ClocheError: the target can't be written.
    """
    request.may(*OPENERS)
    if len(request.descriptors) == 2:
        raise RefusedError(agent.text("keys.missing", ids=", ".join(r.id for r in agent.keyring.recipients) or "—"))
    if len(request.descriptors) != 3:
        raise UsageError("open needs three descriptors: the sealed file, the target and the key file")
    sealed, target, key = request.descriptors
    name = str(request.arguments.get("name", ""))
    unlocker = agent.keyring.unlocker(key)
    try:
        if not is_sealed(sealed):
            raise UsageError(agent.text("protect.not_sealed", file=name))
        if not set(unlocker.key_ids) & set(key_ids(sealed)):
            wanted, given = ", ".join(key_ids(sealed)), ", ".join(unlocker.key_ids)
            raise RefusedError(agent.text("keys.wrong", file=name, wanted=wanted, given=given))
        core, _keys, metadata = read_metadata(sealed, unlocker)
        if not request.caller.is_owner and not could_read(metadata, request.caller):
            raise RefusedError(agent.text("keys.not_yours", file=name))
        streamed = bool(request.arguments.get("stream"))
        if not streamed and (os.fstat(target).st_size or not stat.S_ISREG(os.fstat(target).st_mode)):
            raise UsageError("the target is not an empty file")
        # on record before anything is released: an act that can't be recorded is not done
        agent.audit.append(
            "open",
            request.caller.user,
            file=agent.mask(name),
            reason=agent.mask(str(request.arguments.get("reason") or "")),
            file_id=core.file_id.hex(),
            key=list(unlocker.key_ids),
        )
        if streamed:
            stream(sealed, unlocker, target)
        else:
            unseal(sealed, target, unlocker)
            os.utime(target, ns=(metadata.atime_ns, metadata.mtime_ns))
            os.fsync(target)
    except CorruptError as error:
        raise CorruptError(agent.text("protect.open_corrupt", file=name, cause=error)) from error
    except OSError as error:
        raise ClocheError(agent.text("protect.open_failed", file=name, cause=error.strerror)) from error
    document = {
        "schema": "cloche.open/1",
        "size": metadata.size,
        "trusted": core.signer == agent.keyring.public_key,
        "file_id": core.file_id.hex(),
    }
    return Answer(document=document)


def could_read(metadata: Metadata, caller: Caller) -> bool:
    """Whether the caller could have read the original, by owner, group and mode.

    With an ACL the group bits are a mask (`acl(5)`) and say nothing about one person: then only the owner passes.
    """
    if caller.uid == 0:
        return True
    if caller.uid == metadata.uid:
        return bool(metadata.mode & stat.S_IRUSR)
    if any(name == b"system.posix_acl_access" for name, _value in metadata.xattrs):
        return False
    if metadata.gid in os.getgrouplist(caller.user, caller.gid):
        return bool(metadata.mode & stat.S_IRGRP)
    return bool(metadata.mode & stat.S_IROTH)
