"""What goes into an audit bundle, masked: each room says its own part, and a part that fails is named, not left out.

Documents and evidence themselves stay where they are: the bundle holds their names, sizes and SHA-256, so that a
document handed over apart from it can be held against it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.assess.store import AssessmentStore
from agent.audit.bundle import record_contents
from agent.audit.standalone import canonical
from agent.audit.verify import Head
from config.errors import ClocheError
from config.log import describe, get_logger

if TYPE_CHECKING:
    from agent.wiring import Agent

log = get_logger("audit")
OWN: Final = re.compile(r"((?<![0-9A-Za-z])(?:[A-Z]\d{8}-[a-z]{4,6}|[0-9a-f]{64})(?![0-9A-Za-z]))")
"""Ids of incidents, purges, drills and shares, and SHA-256 in hex."""
LEFT_OUT: Final = frozenset({"user", "contact", "email", "phone"})
"""Fields of a person in the settings: an outsider needs the roles, not the telephone numbers."""


def contents_of(agent: Agent, head: Head) -> dict[str, bytes]:
    """All files of the bundle, by relative path.

    Raises:
        OSError: the record cannot be read.
    """
    store = agent.settings.store.name
    # the record as it was signed: what a keeper adds meanwhile belongs to the next bundle
    lines = agent.home.audit_log.read_bytes().splitlines(keepends=True)[: head.seq]
    contents = record_contents(b"".join(lines), head, agent.keyring.public_key, store)
    contents |= _timelines(agent)
    missing: dict[str, str] = {}
    for name, part in PARTS.items():
        try:
            content = part(agent)
        except Exception as error:  # noqa: BLE001  one broken room must not keep the rest from the reviewer
            log.error("a part of the audit bundle failed", part=name, error=describe(error))
            missing[name] = agent.mask(str(error)) if isinstance(error, ClocheError) else type(error).__name__
            continue
        contents |= {name: content} if isinstance(content, bytes) else content
    contents["missing.json"] = _json(missing)
    return contents


def _timelines(agent: Agent) -> dict[str, bytes]:
    """Every timeline with its signed head, as it stands now."""
    found: dict[str, bytes] = {}
    for path in sorted(agent.home.timelines.glob("*.jsonl")):
        incident = path.name.removesuffix(".jsonl")
        head = agent.timelines.head(incident)
        found[f"timelines/{path.name}"] = path.read_bytes()
        found[f"timelines/{incident}.head.json"] = canonical(head.document()) + b"\n"
    return found


def _assessments(agent: Agent) -> bytes:
    """One canonical line each, oldest first: its digest stands in the record (`assess.run`)."""
    kept = reversed(AssessmentStore(agent.inventory.sessions).assessments())
    return b"".join(canonical(one.document) + b"\n" for one in kept)


def _attestations(agent: Agent) -> bytes:
    """People's words on what a machine cannot see."""
    return _json([asdict(one) for one in AssessmentStore(agent.inventory.sessions).attestations()])


def _registers(agent: Agent) -> bytes:
    """Collection points and places out of sight, paths masked."""
    store = AssessmentStore(agent.inventory.sessions)
    points = [
        {**asdict(point), "paths": [agent.mask(os.fsdecode(path)) for path in point.paths]} for point in store.points()
    ]
    return _json({"collection_points": points, "out_of_sight": [asdict(spot) for spot in store.spots()]})


def _settings(agent: Agent) -> bytes:
    """Settings in force: without secrets (each is one by type), without how people are reached."""
    document = agent.settings.model_dump(mode="json")
    people = [
        {key: value for key, value in person.items() if key not in LEFT_OUT} for person in document.pop("people", [])
    ]
    return _json({**masked(document, agent.mask), "people": people})


def _manifest_of(folder: Path, mask: Callable[[str], str]) -> bytes:
    """Name, size and SHA-256 of every file below a folder."""
    return _json([
        {"name": spare(str(path.relative_to(folder)), mask), "size": path.stat().st_size, "sha256": _digest(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ])  # fmt: skip


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _vendors(agent: Agent) -> bytes:
    """The register of vendors and of what was shared, masked; without their keys."""
    from agent.vendors.store import vendors

    store = vendors(agent)
    register = [{key: value for key, value in plain(one).items() if key != "public_key"} for one in store.all()]
    shares = [{key: value for key, value in plain(one).items() if key != "segment"} for one in store.shares()]
    return _json(masked({"vendors": register, "shares": shares}, agent.mask))


def _drills(agent: Agent) -> bytes:
    """Every drill that was played to its end: scenario, times, score, who acknowledged."""
    from agent.drill.store import DrillStore

    return _json(masked(plain(DrillStore(agent).all(states=("done",))), agent.mask))


def _checks(agent: Agent) -> bytes:
    """The last security check, with what was found and what could not be looked at."""
    from agent.security_check import last_check

    last = last_check(agent)
    return _json([] if last is None else [{**masked(plain(last), agent.mask), "clean": last.clean}])


def _purges(agent: Agent) -> dict[str, bytes]:
    """What was destroyed, by whose word, and the certificates as they were written."""
    from agent.purge.store import Purges

    known = Purges(agent).all()
    found = {"purges.json": _json(masked(plain(known), agent.mask))}
    for one in known:
        for path in sorted(agent.home.documents.rglob(f"*{one.id}*")):
            if path.is_file() and not path.is_symlink():
                found[f"purge-certificates/{path.name}"] = path.read_bytes()
    return found


def _training(agent: Agent) -> dict[str, bytes]:
    """Evidence of training, as its own room writes it."""
    from agent.training.evidence import TrainingRecord

    record = TrainingRecord(agent, agent.now())
    return {"training.csv": record.as_csv(agent.text)}


def _diligence(agent: Agent) -> dict[str, bytes]:
    """尽职证明 in both languages."""
    from agent.audit.diligence import write_summary

    return write_summary(agent)


def _retention(agent: Agent) -> bytes:
    """How long each kind of record is kept."""
    from agent.audit.retention import held

    return _json([kind.document("en") for kind in held(agent, agent.now())])


def plain(value: Any) -> Any:
    """A record as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def spare(text: str, mask: Callable[[str], str]) -> str:
    """Masked, save our own ids and digests: long runs of digits in them look like numbers of people."""
    return "".join(part if number % 2 else mask(part) for number, part in enumerate(OWN.split(text)))


def masked(value: Any, mask: Callable[[str], str]) -> Any:
    """The same with every text masked: people write what they like into names and purposes."""
    if isinstance(value, str):
        return spare(value, mask)
    if isinstance(value, Mapping):
        return {key: masked(inner, mask) for key, inner in value.items()}
    return [masked(inner, mask) for inner in value] if isinstance(value, list) else value


def _json(value: Any) -> bytes:
    return json.dumps(plain(value), ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8") + b"\n"


PARTS: Final[Mapping[str, Callable[[Agent], bytes | dict[str, bytes]]]] = {
    "assessments.jsonl": _assessments,
    "attestations.json": _attestations,
    "registers.json": _registers,
    "settings.json": _settings,
    "documents.json": lambda agent: _manifest_of(agent.home.documents, agent.mask),
    "evidence.json": lambda agent: _manifest_of(agent.home.evidence, agent.mask),
    "vendors.json": _vendors,
    "training": _training,
    "drills.json": _drills,
    "checks.json": _checks,
    "purges": _purges,
    "retention.json": _retention,
    "diligence": _diligence,
}
"""The parts beside record and timelines: an explicit list. The names are those of `missing.json`."""
