"""`assess.run|history|attest|tonight`: check what was asked, do it, answer; no document holds a customer's value."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from agent.assess.look import Look
from agent.assess.pack import load_pack
from agent.assess.records import RISKS
from agent.assess.run import assess, assess_and_keep
from agent.assess.store import AssessmentStore, Attestation, Kept
from agent.assess.words import spoken
from agent.incident.moments import parse_moment, zone_of
from agent.operation import Answer, Request
from config.errors import UsageError
from config.schema import Role

if TYPE_CHECKING:
    from agent.wiring import Agent

KEEPERS: Final[tuple[Role, ...]] = (
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "privacy_officer",
    "store_manager", "franchisee", "area_manager", "tech_support",
)  # fmt: skip
READERS: Final[tuple[Role, ...]] = (*KEEPERS, "department_head", "logistics", "customer_service")
LONGEST: Final = 400
POINTS: Final = 60
NEXT: Final = 5
NEEDS_KEY: Final = frozenset({
    "sealed_share", "stale_exports", "plain_backups", "world_readable", "shared_folders", "removable_media",
    "retention_kept",
})  # fmt: skip


def run(agent: Agent, request: Request) -> Answer:
    """Assess and keep it: `cloche.assess/1`, with the last one before it. With `dry_run` nothing is kept."""
    request.may(*KEEPERS)
    look = Look(agent=agent, now=agent.now())
    store = look.store
    before = store.assessments(limit=POINTS * 4)
    if request.arguments.get("dry_run"):
        document, number, digest = assess(look, request.caller.user).document(), None, None
    else:
        kept = assess_and_keep(agent, request.caller.user, look)
        document, number, digest = kept.document, kept.id, kept.sha256
    answer = {
        **document, "schema": "cloche.assess/1", "number": number, "sha256": digest,
        "store": agent.settings.store.name, "previous": _previous(before), "next": next_steps(document),
        "history": [*trail(before), {"at": document["at"], "score": document["score"], "risks": document["risks"]}],
    }  # fmt: skip
    for one in answer["measures"]:
        one["title"] = agent.text(f"assess.measure_{one['id']}")
        one["said"] = [spoken(agent.text, saying) for saying in one["evidence"]]
    return Answer(document=answer)


def history(agent: Agent, request: Request) -> Answer:
    """How the score went: `cloche.assess.history/1`."""
    request.may(*READERS)
    kept = AssessmentStore(agent.inventory.sessions).assessments()
    return Answer(document={
        "schema": "cloche.assess.history/1",
        "assessments": [
            {
                "number": one.id, "at": one.at.isoformat(timespec="seconds"), "actor": one.actor, "score": one.score,
                "risks": one.document["risks"], "pack": one.document["pack"], "sha256": one.sha256,
            }
            for one in kept
        ],
    })  # fmt: skip


def attest(agent: Agent, request: Request) -> Answer:
    """Take a person's word on what a machine cannot see; without a subject list what can be attested.

    Arguments: `subject`, `failed` (it was looked at and is not so), `at` (when it was done), `by` (a person's name),
    `note`.

    Raises:
        UsageError: no such subject, a person whom nobody knows, or a time that cannot be.
        RefusedError: the caller has no role.
    """
    subject = str(request.arguments.get("subject") or "")
    request.may(*(KEEPERS if subject else READERS))
    store, pack, now = AssessmentStore(agent.inventory.sessions), load_pack(), agent.now()
    if subject:
        if pack.attestable(subject) is None:
            raise UsageError(f"{subject!r}: none of {', '.join(one.id for one in pack.attestations)}")
        at = str(request.arguments.get("at") or "")
        word = Attestation(
            subject=subject, recorded_at=now, by=person_of(agent, request),
            at=parse_moment(at, "--on", now, zone_of(agent.settings.store.timezone)) if at else now,
            ok=not request.arguments.get("failed"), note=words_of(agent, request, "note"),
        )  # fmt: skip
        store.attest(word)
        agent.audit.append(
            "assess.attest", request.caller.user, subject=subject, by=word.by, ok=word.ok, done=word.at.isoformat()
        )
    look = Look(agent=agent, now=now)
    subjects = []
    for known in pack.attestations:
        last = next(iter(store.attestations(known.id)), None)
        subjects.append({
            "subject": known.id, "title": known.title[agent.text.language], "row": known.row, "days": known.days,
            "at": last.at.isoformat(timespec="seconds") if last else None, "by": last.by if last else "",
            "ok": last.ok if last else None, "note": last.note if last else "",
            "holds": look.attested(known.id) is not None,
        })  # fmt: skip
    return Answer(document={"schema": "cloche.assess.attestations/1", "attestations": subjects})


def tonight(agent: Agent, request: Request) -> Answer:
    """If this server were stolen tonight. With `drafts` (endings) the drafts come with it, in base64, kept nowhere."""
    from agent.assess.tonight import document_of, rendered
    from agent.assess.tonight import tonight as work_out

    request.may(*KEEPERS)
    look = Look(agent=agent, now=agent.now())
    found = work_out(look)
    document = document_of(found, look)
    endings = tuple(str(one) for one in request.arguments.get("drafts") or ())
    if endings:
        files = rendered(look, found, endings)
        document["files"] = {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}
    return Answer(document=document)


def next_steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The five things to do next: what adds most comes first, with its command; one command stands once.

    What needs a key waits for the key: `keys` stands before the first of them.
    """
    left = [
        one for one in document["measures"] if one["command"] and one["state"] in ("bad", "partial", "unknown")
    ]  # fmt: skip
    steps: dict[str, dict[str, Any]] = {}
    for one in left:
        gain = one["weight"] - one["points"]
        # settings hold many things: each change of them is a step of its own
        key = one["command"] if one["command"].startswith("cloche ") else one["id"]
        step = steps.setdefault(key, {"id": one["id"], "ids": [], "gain": 0.0, "command": one["command"]})
        step["ids"].append(one["id"])
        step["gain"] = round(step["gain"] + gain, 2)
    ordered = sorted(steps.values(), key=lambda step: -step["gain"])
    making = next((step for step in ordered if "keys" in step["ids"]), None)
    if making is not None and any(one["id"] == "keys" and one["state"] == "bad" for one in left):
        first = next((step for step in ordered if NEEDS_KEY.intersection(step["ids"])), None)
        if first is not None and ordered.index(first) < ordered.index(making):
            ordered.remove(making)
            ordered.insert(ordered.index(first), making)
    return ordered[:NEXT]


def trail(before: list[Kept]) -> list[dict[str, Any]]:
    """One point a day, the last of it, oldest first: what a picture shows."""
    by_day: dict[str, dict[str, Any]] = {}
    for one in before:  # newest first
        at = one.at.isoformat(timespec="seconds")
        by_day.setdefault(at[:10], {"at": at, "score": one.score, "risks": one.document["risks"]})
    return list(reversed(list(by_day.values())[:POINTS]))


def _previous(before: list[Kept]) -> dict[str, Any] | None:
    if not before:
        return None
    last = before[0]
    return {
        "number": last.id, "at": last.at.isoformat(timespec="seconds"), "score": last.score,
        "risks": {risk: last.document["risks"].get(risk) for risk in RISKS},
        "measures": {one["id"]: {"state": one["state"], "points": one["points"]} for one in last.document["measures"]},
    }  # fmt: skip


def words_of(agent: Agent, request: Request, name: str) -> str:
    """What a person wrote, bounded and masked.

    Raises:
        UsageError: it is no text, or too long.
    """
    given = request.arguments.get(name) or ""
    if not isinstance(given, str) or len(given) > LONGEST:
        raise UsageError(f"{name}: a text of at most {LONGEST} characters")
    return agent.mask(" ".join(given.split()))


def person_of(agent: Agent, request: Request) -> str:
    """Whose word it is: somebody of the settings by name, else whoever asks, by account.

    Raises:
        UsageError: a name that the settings do not know.
    """
    name = str(request.arguments.get("by") or "")
    if name:
        if agent.people.named(name) is None:
            raise UsageError(agent.text("assess.unknown_person", file=str(agent.home.settings_file)))
        return name
    person = agent.people.of_account(request.caller.user)
    return person.name if person else agent.mask(request.caller.user)
