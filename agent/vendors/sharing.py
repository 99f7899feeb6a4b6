"""`vendor.share`: customers' files to one vendor, encrypted to its key, with canaries that name its copy.

Nothing is written in clear: the caller's files are read by descriptor, what is changed lives in memory files without a
name, and the package is encrypted before its first byte reaches a disk. A crash leaves an unfinished temporary that
nobody can open, and a record in state `making` (later `abandoned`) whose canaries stay used up.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from agent.confined import run_confined
from agent.vendors import forms
from agent.vendors.approval import approved_by, number_of, text_of
from agent.vendors.columns import Canary
from agent.vendors.ending import facts_of
from agent.vendors.pool import plantings_of, take_canaries
from agent.vendors.reading import Read, read_persons
from agent.vendors.records import Share, SharedFile, Vendor
from agent.vendors.segment import write_segment
from agent.vendors.store import new_share_id, vendors
from agent.vendors.view import share_document
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.identity import decode_public, key_id
from config.schema import Role
from containment.package import Manifest, PackedFile, is_plain_name, write_package

if TYPE_CHECKING:
    from agent.operation import Answer, Request
    from agent.wiring import Agent

SHARERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "tech_support", "store_manager",
    "area_manager", "franchisee", "privacy_officer", "department_head", "customer_service",
)  # fmt: skip
MOST_FILES: Final = 12
LONGEST_DAYS: Final = 3650
MOST_CANARIES: Final = 50
SECONDS: Final = 600.0


@dataclass(kw_only=True)
class _File:
    """A file on its way into the package; `descriptor` is the caller's, or a memory file with canaries in it."""

    name: str
    descriptor: int
    read: Read = field(repr=False)
    canaries: int = 0
    encoding: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What was asked for."""

    vendor: Vendor
    purpose: str
    contract: str
    days: int
    canaries: int
    without: str
    names: tuple[str, ...]


def share(agent: Agent, request: Request) -> Answer:
    """Make a package. Descriptors: an empty file for it, then the files.

    Arguments: `vendor`, `purpose`, `names` (of the files, in order), `days`, `contract`, `canaries` (how many), or
    `without_canaries`: why there are none.

    Raises:
        RefusedError: a role, an approval, the vendor's key, a contract in force, a recovery key or canaries lack.
        UsageError: no files, too many, or names that are none.
        ClocheError: a file changed meanwhile, or the package can't be written.
    """
    from agent.operation import Answer

    request.may(*SHARERS)
    terms = _terms(agent, request)
    if not agent.keyring.ready:
        raise RefusedError(agent.text("protect.no_keys"))
    target, *sources = request.descriptors
    digests = [facts_of(source) for source in sources]
    now = agent.now()
    canaries = [] if terms.without else take_canaries(agent, terms.canaries)
    approver = _approval(agent, request, terms, [sha for _size, sha in digests])
    read = read_persons(agent, list(zip(terms.names, sources, strict=True)))
    files = [
        _File(name=name, descriptor=source, read=facts, encoding=facts.encoding)
        for name, source, facts in zip(terms.names, sources, read, strict=True)
    ]
    with _planted(agent, files, canaries):
        made = _record(agent, request, terms, (files, now, approver))
        vendors(agent).begin_share(made, plantings_of(made.id, canaries))
        _publish(agent, made, terms, (files, target))
    finished = vendors(agent).share(made.id)
    agent.audit.append(
        "vendor.share", request.caller.user, share=made.id, vendor=terms.vendor.id, purpose=made.purpose,
        files=len(files), persons=made.persons, canaries=made.planted, without_canaries=made.without_canaries,
        approved_by=approver, expires_at=made.expires_at.isoformat(), package_sha256=finished.package_sha256,
    )  # fmt: skip
    code, failure, written = ExitCode.DONE, "", []
    try:
        written = forms.write_forms(agent, terms.vendor, finished)
    except ClocheError as error:  # the package is made and on record: it must not be thrown away for want of a form
        code, failure = ExitCode.INCOMPLETE, agent.mask(str(error))
    document = {
        "schema": "cloche.vendor.share/1", **share_document(finished, terms.vendor, now),
        "documents": [os.fspath(path) for path in written], "documents_failed": failure,
        "store_key": key_id(agent.keyring.public_key),
    }  # fmt: skip
    return Answer(document=document, exit_code=code)


def _terms(agent: Agent, request: Request) -> _Terms:
    arguments = request.arguments
    vendor = vendors(agent).get(text_of(request, "vendor", needed=True))
    if not vendor.public_key:
        raise RefusedError(agent.text("vendor.no_key", vendor=vendor.name))
    names = tuple(str(name) for name in arguments.get("names") or ())
    if not names or len(names) != len(request.descriptors) - 1:
        raise UsageError(agent.text("vendor.no_files"))
    if len(names) > MOST_FILES:
        raise UsageError(agent.text("vendor.too_many_files", most=MOST_FILES))
    for name in names:
        if not is_plain_name(name) or names.count(name) > 1:
            raise UsageError(agent.text("vendor.bad_name", name=agent.mask(name)))
    settings = agent.settings.vendors
    return _Terms(
        vendor=vendor, purpose=agent.mask(text_of(request, "purpose", needed=True)),
        contract=_contract(agent, vendor, text_of(request, "contract")),
        days=number_of(request, "days", settings.days, LONGEST_DAYS),
        canaries=number_of(request, "canaries", settings.canaries, MOST_CANARIES),
        without=agent.mask(text_of(request, "without_canaries")), names=names,
    )  # fmt: skip


def _contract(agent: Agent, vendor: Vendor, wanted: str) -> str:
    """The contract that the sharing rests on: the one named, else the newest in force; PIPL 21 wants one.

    Raises:
        RefusedError: there is none, or the one named is not in force.
    """
    today = forms.day(agent, agent.now())
    in_force = [contract for contract in vendor.contracts if contract.begins <= today <= contract.ends]
    named = [contract for contract in in_force if not wanted or contract.number == wanted]
    if not named:
        raise RefusedError(agent.text("vendor.no_contract", vendor=vendor.name, today=today))
    return named[-1].number


def _approval(agent: Agent, request: Request, terms: _Terms, digests: Sequence[str]) -> str:
    # a word counts for one package: the next one of the same files is another
    before = sum(share.state != "abandoned" for share in vendors(agent).shares(terms.vendor.id))
    content = "\n".join((terms.vendor.id, str(before), terms.purpose, str(terms.days), terms.without, *sorted(digests)))
    digest = hashlib.sha256(content.encode("utf-8")).hexdigest()
    about = agent.text(
        "vendor.about_share", vendor=terms.vendor.name, count=len(terms.names), purpose=terms.purpose, days=terms.days,
        names=agent.mask("、".join(terms.names)),
    )  # fmt: skip
    return approved_by(agent, request, "share", f"share:{terms.vendor.id}-{digest[:8]}", (digest, about))


@contextmanager
def _planted(agent: Agent, files: list[_File], canaries: list[Canary]) -> Iterator[None]:
    """For the length of a block the tables among the files are copies in memory with canaries in them.

    Raises:
        RefusedError: no file can hold a canary, and nobody said that it goes without.
    """
    opened: list[int] = []
    try:
        if canaries:
            opened += [os.memfd_create("planted", os.MFD_CLOEXEC) for _ in files]
            arguments = {
                "names": [file.name for file in files],
                "canaries": [
                    {"name": c.name, "phone": c.phone, "email": c.email, "address": c.address} for c in canaries
                ],
            }  # fmt: skip
            pairs = [each for file, target in zip(files, opened, strict=True) for each in (file.descriptor, target)]
            answer = run_confined(agent, "vendor.plant", arguments, pairs, seconds=SECONDS)
            for file, said, target in zip(files, answer.get("files", ()), opened, strict=True):
                _take(file, said, target)
        if canaries and not any(file.canaries for file in files):
            why = "、".join(sorted({agent.text(f"vendor.why_{file.why}") for file in files}))
            raise RefusedError(agent.text("vendor.nothing_planted", why=why))
        if not canaries:
            for file in files:
                file.why = "said"
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _take(file: _File, answer: dict[str, Any], target: int) -> None:
    """What the confined process says is a claim: its values are checked."""
    planted, name, why = answer.get("planted"), answer.get("name"), str(answer.get("why"))
    if isinstance(planted, int) and 0 < planted <= 100_000 and isinstance(name, str) and is_plain_name(name):
        file.canaries, file.name, file.descriptor = planted, name, target
        return
    file.why = why if why in ("format", "no_contact", "too_large", "encoding", "malformed") else "malformed"


def _record(agent: Agent, request: Request, terms: _Terms, made: tuple[list[_File], datetime, str]) -> Share:
    files, now, approver = made
    return Share(
        id=new_share_id(now), vendor=terms.vendor.id, purpose=terms.purpose, contract=terms.contract, state="making",
        shared_at=now, expires_at=now + timedelta(days=terms.days), shared_by=agent.mask(request.caller.user),
        approved_by=approver, key_id=key_id(decode_public(terms.vendor.public_key)),
        files=tuple(
            SharedFile(
                name=agent.mask(file.name), kind=file.read.kind, encoding=file.encoding,
                size=os.fstat(file.descriptor).st_size, sha256=facts_of(file.descriptor)[1],
                persons=file.read.persons, canaries=file.canaries, why=file.why,
            )
            for file in files
        ),
        persons=len(frozenset[int]().union(*(file.read.keys for file in files)))
        or max((file.read.persons for file in files), default=0),
        types=tuple(sorted({name for file in files for name in file.read.types})),
        planted=sum(file.canaries for file in files), without_canaries=terms.without, package_size=0,
        package_sha256="", receipt_sha256="", received_at=None, segment="", ended_at=None, ended_by="", end_note="",
        end_evidence="",
    )  # fmt: skip


def _publish(agent: Agent, made: Share, terms: _Terms, parts: tuple[list[_File], int]) -> None:
    """Seal who is in it, then write the package, then call it open.

    Raises:
        ClocheError: a file changed, or a disk refused; the record says `abandoned`.
    """
    files, target = parts
    try:
        segment = write_segment(agent, made.id, frozenset[int]().union(*(file.read.keys for file in files)))
        store = agent.settings.store
        manifest = Manifest(
            package=made.id, store=store.name, legal_entity=legal_entity(agent), vendor=terms.vendor.name,
            purpose=made.purpose, contract=made.contract, shared_at=made.shared_at, expires_at=made.expires_at,
            files=tuple(
                PackedFile(
                    name=file.name, size=facts.size, sha256=facts.sha256, kind=facts.kind, encoding=facts.encoding
                )
                for file, facts in zip(files, made.files, strict=True)
            ),
        )  # fmt: skip
        packed = write_package(
            target, manifest, [file.descriptor for file in files], decode_public(terms.vendor.public_key),
            (agent.keyring.public_key, agent.keyring.sign),
        )  # fmt: skip
    except (ClocheError, OSError) as error:
        vendors(agent).change_share(made.id, {"state": "abandoned", "ended_at": agent.now()})
        if isinstance(error, OSError):
            raise ClocheError(agent.text("vendor.not_written", cause=error.strerror)) from error
        raise
    vendors(agent).change_share(
        made.id,
        {
            "state": "open", "segment": segment, "package_size": packed.size, "package_sha256": packed.sha256,
            "receipt_sha256": packed.receipt_sha256,
        },
    )  # fmt: skip


def legal_entity(agent: Agent) -> str:
    """The legal entity's code, as the settings have it."""
    return str(getattr(agent.settings.store, "legal_entity", ""))
