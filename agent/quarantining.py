"""The operations of `cloche quarantine`: add, list, show, verify, release.

Who may: the owner of the home, and holders of the roles below. A caller who is not the owner adds only what the
inventory knows or what lies under a scanned folder: a role must not make root move any file of the machine. Paths
arrive as text from the caller and are opened by descriptor in `containment`; a key file arrives as a descriptor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from agent.aftermath import give_back, known_items, note_contained
from agent.inventory.paths import path_fields
from agent.operation import Answer, Request
from agent.wiring import Agent
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.schema import Role
from containment.entries import MANUAL
from containment.fence import settle
from containment.keys import Unlocker
from containment.quarantine import Contained, Entry, Refusal, Terms, manual_id

MAY_ADD: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "tech_support", "store_manager",
    "privacy_officer",
)  # fmt: skip
MAY_LOOK: Final[tuple[Role, ...]] = (*MAY_ADD, "legal", "area_manager")
MAY_RELEASE: Final[tuple[Role, ...]] = ("security_lead", "security_deputy", "response_lead")
CALLED: Final[tuple[Role, ...]] = ("store_manager", "response_lead", "security_lead")
OWN_PREFIX: Final = b".cloche-"


def add(agent: Agent, request: Request) -> Answer:
    """Take every regular file at and under `paths` into the vault.

    Arguments of the request: `paths`; `only_findings`, only files in which something was found; `incident`, an id to
    keep them under; `force`, a person's word that live databases and the till's files go too.

    Raises:
        UsageError: a path does not exist, or the incident's id is no id.
        RefusedError: no right, no key, or a path that this caller may not move.
    """
    request.may(*MAY_ADD)
    arguments = request.arguments
    roots = [settle(os.fsencode(path)) for path in arguments["paths"]]
    incident = arguments.get("incident") or manual_id()
    agent.quarantine.keys.path(incident)
    if incident.startswith(MANUAL) and not agent.keyring.ready:
        raise RefusedError(agent.text("quarantine.no_recovery_key"))
    items = known_items(agent, roots)
    paths, refused = _choose(agent, request, roots, items)
    keys = [items[path].key for path in paths if path in items and items[path].key]
    if keys:
        with suppress(ClocheError):  # without a guard the fence still closes them, and the next guard is told
            agent.watch.deny(keys)
    terms = Terms(
        notice=agent.text("quarantine.tombstone", store=agent.settings.store.name, whom=_whom(agent), id="{id}"),
        protected=frozenset(os.fsencode(path) for path in agent.settings.watch.protected_programs),
        reserved=(os.fsencode(agent.home.state), os.fsencode(agent.home.run)),
        forced=bool(arguments.get("force")),
        settled=True,
    )
    fenced = agent.quarantine.fence(paths, incident, terms)
    taken = agent.quarantine.take_in(
        fenced.entries, progress=lambda done, total: request.progress({"done": done, "total": total})
    )
    contained = Contained(entries=taken.entries, refused=(*refused, *fenced.refused, *taken.refused))
    note_contained(agent, contained, actor=request.caller.user, items=items)
    document = {
        "schema": "cloche.quarantine-add/1", "incident": incident,
        "entries": [entry_fields(entry) for entry in contained.entries],
        "refused": [refusal_fields(refusal) for refusal in contained.refused],
    }  # fmt: skip
    whole = not contained.refused and not any(entry.cause for entry in contained.entries)
    return Answer(document=document, exit_code=ExitCode.DONE if whole else ExitCode.INCOMPLETE)


def list_entries(agent: Agent, request: Request) -> Answer:
    """What is fenced or in the vault; with `released` in the request also what went back lately."""
    request.may(*MAY_LOOK)
    states: tuple[Any, ...] = () if request.arguments.get("released") else ("fenced", "vaulted")
    entries = [entry_fields(entry) for entry in agent.quarantine.entries(*states)]
    return Answer(document={"schema": "cloche.quarantine-list/1", "entries": entries})


def show(agent: Agent, request: Request) -> Answer:
    """One entry by `id`, with all that is known of it.

    Raises:
        UsageError: there is none.
    """
    request.may(*MAY_LOOK)
    (entry,) = wanted_entries(agent, {"ids": [request.arguments["id"]]})
    document = {
        "schema": "cloche.quarantine-show/1", **entry_fields(entry),
        "mode": f"{entry.original.mode:04o}", "immutable_while_fenced": entry.immutable,
        "tombstones": [path_fields(stone) for stone in entry.tombstones],
        "sealed_sha256": entry.digest,
        "releasable_without_sheet": not agent.quarantine.lacks_key([entry], None),
    }  # fmt: skip
    return Answer(document=document)


def verify(agent: Agent, request: Request) -> Answer:
    """Check copies: all of them, or by `ids` and `paths`; with a key file's descriptor by decrypting.

    Raises:
        UsageError: something named is not in quarantine, or the key file is none.
    """
    request.may(*MAY_LOOK)
    everything = not request.arguments.get("ids") and not request.arguments.get("paths")
    entries = wanted_entries(agent, {**request.arguments, "all": everything})
    checks = agent.quarantine.verify(entries, _unlocker(agent, request))
    document = {
        "schema": "cloche.quarantine-verify/1",
        "proof": "decrypted" if request.descriptors else "digest",
        "entries": [
            {"id": check.id, **path_fields(check.path), "result": check.result, "proof": check.proof}
            for check in checks
        ],
    }
    results = {check.result for check in checks}
    agent.audit.append(
        "quarantine.verify", agent.mask(request.caller.user), proof=document["proof"], entries=len(checks),
        damaged=[check.id for check in checks if check.result in ("damaged", "missing")],
    )  # fmt: skip
    if results & {"damaged", "missing"}:
        return Answer(document=document, exit_code=ExitCode.FAILED)
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if "no_key" in results else ExitCode.DONE)


def release(agent: Agent, request: Request) -> Answer:
    """Give files back, bit for bit, at their old places: `ids`, `paths`, or `all`; a key file's descriptor, if any.

    Raises:
        UsageError: something named is not in quarantine, or the key file is none.
        RefusedError: no right, or a key is missing or does not fit: nothing was released.
    """
    request.may(*MAY_RELEASE)
    entries = [entry for entry in wanted_entries(agent, request.arguments) if entry.state in ("fenced", "vaulted")]
    unlocker = _unlocker(agent, request)
    lacking = agent.quarantine.lacks_key(entries, unlocker)
    if lacking:
        raise RefusedError(_missing_key(agent, lacking))
    released = give_back(agent, entries, unlocker, actor=request.caller.user)
    if not released.entries and released.refused and {r.cause for r in released.refused} == {"wrong_key"}:
        raise RefusedError(agent.text("quarantine.wrong_key", count=len(released.refused)))
    document = {
        "schema": "cloche.quarantine-release/1",
        "entries": [{**entry_fields(entry), "folder_made": entry.folder_made} for entry in released.entries],
        "refused": [refusal_fields(refusal) for refusal in released.refused],
    }
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if released.refused else ExitCode.DONE)


def entry_fields(entry: Entry) -> dict[str, Any]:
    """An entry as JSON; keys are stable."""
    return {
        "id": entry.id, **path_fields(entry.path), "size": entry.size, "incident": entry.incident,
        "state": entry.state, "sha256": entry.sha256, "cause": entry.cause,
        "added_at": datetime.fromtimestamp(entry.added_at, UTC).isoformat(timespec="seconds"),
        "other_names": [path_fields(name) for name in entry.names[1:]],
    }  # fmt: skip


def refusal_fields(refusal: Refusal) -> dict[str, Any]:
    """A refusal as JSON; keys are stable."""
    return {**path_fields(refusal.path), "cause": refusal.cause, "fenced": refusal.fenced, "id": refusal.id}


def _choose(
    agent: Agent, request: Request, roots: list[bytes], items: dict[bytes, Any]
) -> tuple[list[bytes], list[Refusal]]:
    refused: list[Refusal] = []
    own = {stone for entry in agent.quarantine.entries("vaulted") for stone in entry.tombstones}
    chosen: dict[bytes, None] = {}
    for root in roots:
        for path in _files(root, refused):
            if path not in own and not os.path.basename(path).startswith(OWN_PREFIX):
                chosen[path] = None
    paths = list(chosen)
    if request.arguments.get("only_findings"):
        found = {
            item.place
            for root in roots
            for item in agent.inventory.items(under=root, states=("plain", "fenced", "sealed"))
            if item.findings
        }
        paths = [path for path in paths if path in found]
    if not request.caller.is_owner:
        scanned = tuple(os.path.realpath(os.fsencode(root)) + b"/" for root in agent.settings.scan.roots)
        outside = [path for path in paths if path not in items and not path.startswith(scanned or (b"\0",))]
        if outside:
            raise RefusedError(agent.text("quarantine.outside", path=agent.mask(os.fsdecode(outside[0]))))
    return paths, refused


def _files(root: bytes, refused: list[Refusal]) -> Iterator[bytes]:
    try:
        facts = os.lstat(root)
    except OSError as error:
        raise UsageError(f"{os.fsdecode(root)}: {error.strerror}") from error
    if not stat.S_ISDIR(facts.st_mode):
        yield root  # no regular file: the quarantine names it
        return

    def unreadable(error: OSError) -> None:
        refused.append(Refusal(path=os.fsencode(error.filename), cause="permission"))

    for here, folders, names in os.walk(root, onerror=unreadable):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield path
            except FileNotFoundError:
                continue


def wanted_entries(agent: Agent, arguments: dict[str, Any]) -> list[Entry]:
    """The entries that `ids`, `paths` or `all` name.

    Raises:
        UsageError: something named is not in quarantine.
    """
    if arguments.get("all"):
        return agent.quarantine.entries("fenced", "vaulted")
    names: Iterable[str | bytes] = (
        *arguments.get("ids", ()),
        *(os.fsencode(path) for path in arguments.get("paths", ())),
    )
    found: dict[str, Entry] = {}
    for name in names:
        entries = agent.quarantine.find(name)
        if not entries:
            raise UsageError(agent.text("quarantine.unknown", name=agent.mask(os.fsdecode(name))))
        found.update({entry.id: entry for entry in entries})
    return list(found.values())


def _unlocker(agent: Agent, request: Request) -> Unlocker | None:
    return agent.keyring.unlocker(request.descriptors[0]) if request.descriptors else None


def _missing_key(agent: Agent, lacking: list[Entry]) -> str:
    gone = sorted({entry.incident for entry in lacking if agent.quarantine.keys.find(entry.incident) is None})
    if gone:
        return agent.text("quarantine.no_incident_key", incidents=", ".join(gone))
    return agent.text("quarantine.no_key", count=len(lacking))


def _whom(agent: Agent) -> str:
    for role in CALLED:
        for person in agent.settings.people:
            if role in person.roles:
                return f"{person.name} {person.contact}".strip()
    return agent.text("quarantine.whom")
