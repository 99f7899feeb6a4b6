"""The operations of `cloche training`: who may, what is checked, what is answered.

Names and phones of staff are personal information: whoever keeps the list sees names, other readers masked ones, and
a phone is shown whole only where it was asked for, on record. Lists come parsed, by descriptor (`agent.training.lent`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from agent.documents.write import Format, render, write_versions
from agent.incident.moments import zone_of
from agent.incident.wording import Wording
from agent.operation import Answer, Request
from agent.training.asked import (
    KEEPERS,
    Shown,
    asked_language,
    asking_person,
    given_day,
    given_name,
    given_text,
    given_texts,
    lent_sheet,
)
from agent.training.catalogue import basis, known_roles, read_own, role_name
from agent.training.importing import judge, read_sessions, read_staff
from agent.training.records import HOWS, RESULTS, Acknowledgement, Course, How, Policy, Session
from agent.training.standing import next_due, standing
from agent.training.store import Register
from config.errors import ClocheError, ExitCode, UsageError
from config.schema import Role
from containment.atomic import write_all, write_file

if TYPE_CHECKING:
    from agent.wiring import Agent

READERS: Final[tuple[Role, ...]] = (*KEEPERS, "security_member", "response_lead", "legal", "department_head")
PHONE_READERS: Final[tuple[Role, ...]] = ("security_deputy", "privacy_officer")
ENDINGS: Final = ("csv", "html", "docx", "pdf")


def import_staff(agent: Agent, request: Request) -> Answer:
    """Take a list of staff, all of it or nothing: `cloche.training.import/1`.

    Arguments: `name` of the file; `store` of whoever has none in it; `others_left`, a person's word that whoever of
    those stores is not in it has left; `dry_run`. Descriptor: the lines.

    Raises:
        RefusedError: the caller keeps no list of staff.
        UsageError: a column is missing or lines are wrong, each by its number.
    """
    request.may(*KEEPERS)
    register = Register(agent)
    sheet = lent_sheet(agent, request)
    known = {person.number: person for person in register.staff(left=True)}
    found = read_staff(sheet, known, given_text(request, "store") or agent.settings.store.name)
    listed = {person.number for person in found.people}
    stores = {person.store for person in found.people}
    gone = [
        replace(person, left=sheet.today)
        for person in known.values()
        if request.arguments.get("others_left")
        and person.left is None and person.store in stores and person.number not in listed
    ]  # fmt: skip
    if request.arguments.get("dry_run"):
        fresh = sum(number not in known for number in listed)
        added, changed, same = fresh, sum(known.get(p.number, p) != p for p in found.people), 0
        same = len(listed) - added - changed
    else:
        added, changed, same = register.save((*found.people, *gone))
        changed -= len(gone)
        agent.audit.append(
            "training.staff.imported", request.caller.user, added=added, changed=changed, unchanged=same, left=len(gone)
        )
    document = {
        "schema": "cloche.training.import/1", "added": added, "changed": changed, "unchanged": same,
        "left": len(gone), "dry_run": bool(request.arguments.get("dry_run")),
        "unknown_titles": [
            {"title": agent.mask(title), "count": count} for title, count in sorted(found.unknown_titles.items())
        ],
    }  # fmt: skip
    return Answer(document=document)


def list_staff(agent: Agent, request: Request) -> Answer:
    """The list of staff: `cloche.training.staff/1`. Arguments: `store`, `role`, `left`, `phones`.

    Raises:
        RefusedError: the caller may not read it, or may not read phones.
        UsageError: the role is none.
    """
    request.may(*READERS)
    phones = bool(request.arguments.get("phones"))
    if phones:
        request.may(*PHONE_READERS)
    role = given_text(request, "role")
    if role and role not in known_roles():
        raise UsageError(f"--role: {role!r} is none of {', '.join(sorted(known_roles()))}")
    people = Register(agent).staff(
        left=bool(request.arguments.get("left")), store=given_text(request, "store"), role=role
    )  # fmt: skip
    if phones:
        agent.audit.append("training.staff.phones", request.caller.user, count=len(people))
    show = Shown(agent, request)
    document = {
        "schema": "cloche.training.staff/1",
        "staff": [show.person(person) | {"phone": show.phone(person, whole=phones)} for person in people],
    }
    return Answer(document=document)


def leave(agent: Agent, request: Request) -> Answer:
    """Note who left: `cloche.training.leave/1`. Arguments: `numbers`, `on` (today by default).

    Raises:
        RefusedError: the caller keeps no list of staff.
        UsageError: nobody has one of the numbers, or the day is none.
    """
    request.may(*KEEPERS)
    numbers = given_texts(request, "numbers")
    on = given_day(agent, request, "on")
    count = Register(agent).leave(numbers, on)
    agent.audit.append(
        "training.staff.left", request.caller.user, count=count, numbers=[agent.mask(number) for number in numbers],
        on=on.isoformat(),
    )  # fmt: skip
    return Answer(document={"schema": "cloche.training.leave/1", "left": count, "on": on.isoformat()})


def list_courses(agent: Agent, request: Request) -> Answer:
    """What is taught and signed: `cloche.training.courses/1`. Anybody may know it.

    Arguments: `id` of one course or policy, `role`.

    Raises:
        UsageError: no course or policy has the id.
    """
    courses, policies = Register(agent).catalogue()
    wanted, role = given_text(request, "id"), given_text(request, "role")
    language = agent.text.language
    if wanted and wanted not in courses and wanted not in policies:
        raise UsageError(
            agent.text("training.unknown_course", id=wanted, known=", ".join(sorted({*courses, *policies})))
        )

    def is_wanted(entry: Course | Policy) -> bool:
        return (not wanted or entry.id == wanted) and (not role or role in entry.roles or "everyone" in entry.roles)

    rule = basis()
    document = {
        "schema": "cloche.training.courses/1",
        "basis": {"source": rule.source, "date": rule.date, "verified": rule.verified},
        "courses": [
            {
                "id": course.id, "title": course.title[language], "roles": list(course.roles),
                "role_names": [role_name(role, agent.text) for role in course.roles],
                "interval_months": course.interval_months, "within_days": course.within_days,
                "minutes": course.minutes, "pass_score": course.pass_score, "own": course.own,
                "outline": list(course.outline[language]),
            }
            for course in courses.values()
            if is_wanted(course)
        ],
        "policies": [
            {
                "id": policy.id, "title": policy.title[language], "version": policy.version,
                "date": policy.date.isoformat(), "roles": list(policy.roles), "within_days": policy.within_days,
                "role_names": [role_name(role, agent.text) for role in policy.roles],
                "sha256": policy.digest, "own": policy.own, "text": policy.text[language],
            }
            for policy in policies.values()
            if is_wanted(policy)
        ],
    }  # fmt: skip
    return Answer(document=document)


def import_courses(agent: Agent, request: Request) -> Answer:
    """Take the chain's own courses and policies: `cloche.training.own/1`. Arguments: `name`, `toml`.

    Raises:
        RefusedError: the caller keeps no list of staff.
        UsageError: the file is wrong, every fault named, or a policy changed under its old version.
    """
    request.may(*KEEPERS)
    courses, policies = read_own(given_text(request, "toml"), given_text(request, "name"))
    Register(agent).add_own((*courses, *policies), agent.now())
    ids = [*(course.id for course in courses), *(policy.id for policy in policies)]
    digests = {policy.id: f"{policy.version} {policy.digest}" for policy in policies}
    agent.audit.append("training.courses.imported", request.caller.user, ids=ids, policies=digests)
    document = {
        "schema": "cloche.training.own/1", "courses": [course.id for course in courses],
        "policies": [policy.id for policy in policies],
    }  # fmt: skip
    return Answer(document=document)


def record(agent: Agent, request: Request) -> Answer:
    """Put sessions on record: `cloche.training.record/1`.

    Arguments: `course`, `on` (today by default), `trainer`, `result`, `score`, and `numbers` of staff or a descriptor
    with the lines of a list (`name` is its file's), whose columns come first.

    Raises:
        RefusedError: the caller keeps no list of staff.
        UsageError: the course is none, nobody has a number, or lines are wrong; nothing was recorded.
    """
    request.may(*KEEPERS)
    register = Register(agent)
    courses, _policies = register.catalogue()
    course, result, score = given_text(request, "course"), given_text(request, "result"), request.arguments.get("score")
    if course and course not in courses:
        raise UsageError(agent.text("training.unknown_course", id=course, known=", ".join(sorted(courses))))
    if result and result not in RESULTS:
        raise UsageError(f"--result: {result!r} is none of {', '.join(RESULTS)}")
    if score is not None and (type(score) is not int or not 0 <= score <= 100):
        raise UsageError("--score: must be a whole number from 0 to 100")
    one = Session(
        number="", course=course, on=given_day(agent, request, "on"), trainer=given_name(agent, request, "trainer"),
        result=result or "attended", score=score, by=agent.mask(request.caller.user),
    )  # fmt: skip
    if request.descriptors:
        sheet = lent_sheet(agent, request)
        sessions: Sequence[Session] = read_sessions(
            sheet, courses, one, result or None
        )  # fmt: skip
    else:
        if not course:
            raise UsageError("--course is needed")
        outcome = judge(courses[course], result or None, score)
        if outcome is None:
            why = agent.text("training.no_result", course=course, score=courses[course].pass_score)
            raise UsageError(why)
        numbers = dict.fromkeys(given_texts(request, "numbers"))
        sessions = [replace(one, number=number, result=outcome) for number in numbers]
    fresh, same = register.record(sessions)
    agent.audit.append(
        "training.recorded", request.caller.user, courses=sorted({session.course for session in sessions}),
        sessions=fresh, unchanged=same, failed=sum(session.result == "failed" for session in sessions),
    )  # fmt: skip
    people = {person.number: person for person in register.staff(left=True)}
    document = {
        "schema": "cloche.training.record/1", "recorded": fresh, "unchanged": same,
        "sessions": [
            {
                "number": session.number, "course": session.course, "on": session.on.isoformat(),
                "result": session.result, "score": session.score,
                "next_due": None if session.result == "failed" else next_due(
                    courses[session.course], people[session.number], session.on
                ).isoformat(),
            }
            for session in sessions
        ],
    }  # fmt: skip
    return Answer(document=document)


def acknowledge(agent: Agent, request: Request) -> Answer:
    """Put acknowledgements of a policy's present text on record: `cloche.training.acknowledge/1`.

    Arguments: `policy`; `numbers` of staff, `how` and `on` for whoever keeps the list; without numbers it is the
    caller's own word, under the account that the settings give a person.

    Raises:
        RefusedError: for others without keeping the list.
        UsageError: no such policy, nobody has a number, or the caller's account is nobody's on the list of staff.
    """
    register = Register(agent)
    _courses, policies = register.catalogue()
    policy = policies.get(given_text(request, "policy"))
    if policy is None:
        known = ", ".join(sorted(policies))
        raise UsageError(agent.text("training.unknown_course", id=given_text(request, "policy"), known=known))
    numbers = given_texts(request, "numbers", needed=False)
    how = given_text(request, "how") or "paper"
    if how not in HOWS:
        raise UsageError(f"--how: {how!r} is none of {', '.join(HOWS)}")
    if numbers:
        request.may(*KEEPERS)
    else:
        numbers, how = [asking_person(agent, register, request).number], "account"
    on = given_day(agent, request, "on")
    if on < policy.date:
        day = policy.date.isoformat()
        raise UsageError(agent.text("training.before_policy", title=policy.title[agent.text.language], date=day))
    fresh, same = register.acknowledge(
        Acknowledgement(
            number=number, policy=policy.id, version=policy.version, digest=policy.digest, on=on,
            how=cast("How", how), by=agent.mask(request.caller.user),
        )
        for number in dict.fromkeys(numbers)
    )  # fmt: skip
    agent.audit.append(
        "training.acknowledged", request.caller.user, policy=policy.id, version=policy.version, sha256=policy.digest,
        how=how, new=fresh, unchanged=same,
    )  # fmt: skip
    document = {
        "schema": "cloche.training.acknowledge/1", "policy": policy.id, "version": policy.version,
        "title": policy.title[agent.text.language],
        "sha256": policy.digest, "acknowledged": fresh, "unchanged": same,
    }  # fmt: skip
    return Answer(document=document)


def due(agent: Agent, request: Request) -> Answer:
    """What is overdue and what comes due: `cloche.training.due/1`. Arguments: `store`, `days` to look ahead.

    Raises:
        RefusedError: the caller may not read the list of staff.
    """
    request.may(*READERS)
    days = request.arguments.get("days", 30)
    if type(days) is not int or not 0 <= days <= 3660:
        raise UsageError("--days: must be a whole number from 0 to 3660")
    found = standing(agent, agent.now())
    courses, policies = Register(agent).catalogue()
    show, language, store = Shown(agent, request), agent.text.language, given_text(request, "store")
    until = found.today + timedelta(days=days)
    rows = [
        show.person(entry.staff)
        | {
            "kind": entry.kind, "what": entry.id,
            "title": (courses[entry.id] if entry.kind == "course" else policies[entry.id]).title[language],
            "due": entry.due.isoformat(), "days_left": entry.days_left(found.today),
            "last": entry.last.isoformat() if entry.last else None,
        }
        for entry in found.owed
        if entry.due <= until and (not store or entry.staff.store == store)
    ]  # fmt: skip
    document = {
        "schema": "cloche.training.due/1", "today": found.today.isoformat(), "staff": found.staff,
        "trained": found.trained, "overdue": sum(row["days_left"] < 0 for row in rows), "due": rows,
    }  # fmt: skip
    return Answer(document=document)


def export(agent: Agent, request: Request) -> Answer:
    """Evidence for an auditor: `cloche.training.export/1`.

    Arguments: `store`; with a descriptor `format` (csv, html, docx, pdf) and `language` of the one that is written
    there, else every one is written among the documents.

    Raises:
        RefusedError: the caller keeps no list of staff.
        UsageError: the format or the language is none.
        ClocheError: it cannot be written.
    """
    from agent.training.evidence import TrainingRecord

    request.may(*KEEPERS)
    found = TrainingRecord(agent, agent.now(), given_text(request, "store"))
    ending, language = given_text(request, "format") or "csv", asked_language(agent, request)
    if ending not in ENDINGS:
        raise UsageError(f"--output: {ending!r} is none of {', '.join(ENDINGS)}")
    agent.audit.append("training.exported", request.caller.user, store=agent.mask(given_text(request, "store")))
    paths: list[str] = []
    if request.descriptors:
        wording = Wording(language, zone_of(agent.settings.store.timezone))
        content = (
            found.as_csv(language) if ending == "csv" else render(found.build(wording, 1), cast("Format", ending))
        )  # fmt: skip
        _write_to(request.descriptors[0], content)
    else:
        folder = agent.home.documents / "training"
        paths = [str(path) for path in write_versions(agent, folder, agent.text("training.doc_title"), found.build)]
        table = folder / f"{agent.text('training.doc_title')}-{agent.now():%Y%m%dT%H%M%SZ}.csv"
        try:
            write_file(table, found.as_csv(agent.text))
        except OSError as error:
            raise ClocheError(f"{table}: cannot be written: {error.strerror}") from error
        paths.append(str(table))
    return Answer(document={"schema": "cloche.training.export/1", "paths": paths})


def card(agent: Agent, request: Request) -> Answer:
    """店长应急卡: `cloche.training.card/1`. Arguments: `size` (A4, A6), `language`, `format` (pdf, png).

    Anybody with a role may print one. Exit code 3 where something on it is missing, which `lacks` names.

    Raises:
        RefusedError: the caller has no role.
        UsageError: size, format or language is none.
        ClocheError: it cannot be set or written.
    """
    from agent.training.card import SIZES, lacks
    from agent.training.card import card as make

    request.may(*get_args(Role))
    size, ending, language = (
        given_text(request, "size") or "A4",
        given_text(request, "format") or "pdf",
        asked_language(agent, request),
    )
    if size not in SIZES:
        raise UsageError(f"--size: {size!r} is none of {', '.join(SIZES)}")
    if ending not in ("pdf", "png"):
        raise UsageError(f"--output: {ending!r} is none of pdf, png")
    content = make(agent, language, cast("Any", size), cast("Any", ending))
    path = ""
    if request.descriptors:
        _write_to(request.descriptors[0], content)
    else:
        target = agent.home.documents / "training" / f"{agent.text('training.card_title')}-{size}.{ending}"
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(target, content)
        except OSError as error:
            raise ClocheError(f"{target}: cannot be written: {error.strerror}") from error
        path = str(target)
    missing = lacks(agent)
    document = {"schema": "cloche.training.card/1", "path": path, "size": size, "lacks": list(missing)}
    return Answer(document=document, exit_code=ExitCode.INCOMPLETE if missing else ExitCode.DONE)


def _write_to(descriptor: int, content: bytes) -> None:
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    except OSError as error:
        raise ClocheError(f"the file cannot be written: {error.strerror}") from error
