"""`logistics.photo`: a picture of the scene into the evidence, sealed as it came, with its digest and its time.

A screen that was photographed shows customers, so the copy is sealed (docs/format-sealed-v1.md) before it is written,
and nothing of the picture is looked at but its first bytes and the camera's time, in a confined process. The original
stays with whoever took it: deleting it from the phone is a line of the checklist, after the copy is safe.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from agent.confined import run_confined
from agent.incident.store import incidents
from agent.logistics.operations import HELPERS, document_of
from agent.logistics.recording import beside, put
from agent.logistics.state import logistics_of
from agent.operation import Answer, Request
from agent.vendors.approval import text_of
from config.errors import ClocheError, RefusedError, UsageError
from containment import metadata
from containment.evidence import write_bundle
from containment.sealed import seal

if TYPE_CHECKING:
    from agent.wiring import Agent

LARGEST: Final = 64 << 20
_SECONDS: Final = 20.0


def photo(agent: Agent, request: Request) -> Answer:
    """Descriptors: the pictures, up to eight. Arguments: `id`, `what`, `by`, `line` (of the checklist), `names`.

    Raises:
        UsageError: no picture, too large, or no picture by its first bytes.
        RefusedError: there is no recovery key, or it is not the time for logistics.
        ClocheError: the evidence cannot be written.
    """
    request.may(*HELPERS)
    incident = incidents(agent).get(text_of(request, "id", needed=True))
    beside(agent, incident)
    if not agent.keyring.ready:
        raise RefusedError(agent.text("protect.no_keys"))
    if not request.descriptors:
        raise UsageError(agent.text("logistics.no_photo"))
    state = logistics_of(agent, incident.id)
    line = text_of(request, "line").upper()
    if line and line not in {known.code for known in state.lines}:
        raise UsageError(agent.text("logistics.no_line", line=agent.mask(line)))
    what, by = (agent.mask(text_of(request, name, needed=True, longest=400)) for name in ("what", "by"))
    facts = []
    for place, descriptor in enumerate(request.descriptors, 1):
        if os.fstat(descriptor).st_size > LARGEST:
            raise UsageError(agent.text("logistics.photo_large", number=place, most=LARGEST >> 20))
        read = run_confined(agent, "logistics.photo", {}, (descriptor,), seconds=_SECONDS)
        if not read.get("kind"):
            raise UsageError(agent.text("logistics.photo_none", number=place))
        facts.append((str(read["kind"])[:8], str(read.get("taken_at") or "")[:32]))
    sealed, digests = {}, []
    for number, descriptor in enumerate(request.descriptors, len(state.photos) + 1):
        name = f"photo-{number:03d}.{facts[number - len(state.photos) - 1][0]}.cloche"
        content, sha256, size = _sealed(agent, descriptor)
        sealed[name] = content
        digests.append((number, name, sha256, size))
    bundle = write_bundle(agent.home.evidence / incident.id, sealed, agent.keyring.sign)
    for (number, name, sha256, size), (_kind, taken) in zip(digests, facts, strict=True):
        put(
            agent, incident, request.caller.user, "photo", photo=number, what=what, by=by, sha256=sha256, size=size,
            taken_at=taken, bundle=bundle.name, file=name, line=line,
        )  # fmt: skip
    return Answer(document=document_of(agent, incident, logistics_of(agent, incident.id)))


def _sealed(agent: Agent, descriptor: int) -> tuple[bytes, str, int]:
    """The sealed form of a picture, its digest and its size; made in memory.

    Raises:
        ClocheError: it changed meanwhile or can't be read.
    """
    target = os.memfd_create("sealed", os.MFD_CLOEXEC)
    try:
        facts = metadata.capture(descriptor, b"/photo")  # a phone's file name may hold anything: it is not kept
        seal(descriptor, target, facts, agent.keyring)
        content = os.pread(target, os.fstat(target).st_size, 0)
    except OSError as error:
        raise ClocheError(agent.text("logistics.photo_unread", cause=error.strerror)) from error
    finally:
        os.close(target)
    return content, facts.sha256.hex(), facts.size


def matches(content: bytes, sha256: str) -> bool:
    """Whether a picture at hand is the one on record."""
    return hashlib.sha256(content).hexdigest() == sha256
