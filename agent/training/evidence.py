"""Evidence for an auditor: 培训记录 as a document with a page for signatures, and the same facts as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from agent.documents.model import Block, Bullets, Document, Facts, Heading, PageBreak, Paragraph, Table
from agent.incident.wording import Wording
from agent.training.catalogue import basis, role_name
from agent.training.records import Due, Staff
from agent.training.sheet import write_csv
from agent.training.standing import Standing, standing
from agent.training.store import Register
from config.text import Text

if TYPE_CHECKING:
    from agent.wiring import Agent

SIGNERS: Final = 12  # lines at least on the page for signatures
ROOM: Final = "\u3000\n\u3000"
"""A cell that somebody signs in: two lines high, of blanks that no renderer trims."""


class TrainingRecord:
    """Everything about the training of one store or of all of them, as of one moment."""

    def __init__(self, agent: Agent, now: datetime, store: str = "") -> None:
        register = Register(agent)
        self._agent = agent
        self._now = now
        self._store = store
        self._people = register.staff(left=True, store=store)
        numbers = {person.number for person in self._people}
        self._courses, self._policies = register.catalogue()
        self._sessions = [entry for entry in register.sessions() if entry.number in numbers]
        self._acknowledgements = [entry for entry in register.acknowledgements() if entry.number in numbers]
        found = standing(agent, now)
        owed = tuple(entry for entry in found.owed if entry.staff.number in numbers)
        here = sum(person.left is None for person in self._people)
        self._standing = Standing(today=found.today, staff=here, owed=owed)

    def build(self, wording: Wording, version: int) -> Document:
        """The document in one language."""
        text, settings = wording.text, self._agent.settings.store
        store = self._store or settings.name
        time = wording.moment(self._now)
        return Document(
            language=text.language,
            title=text("training.doc_title"),
            subtitle=text("training.doc_made", store=store, time=time, version=version),
            running=text("training.doc_made", store=store, time=time, version=version),
            lead=text(
                "training.doc_lead", staff=self._standing.staff, trained=self._standing.trained,
                overdue=len(self._standing.overdue),
            ),
            notices=(text("training.doc_notice"), text("incident.assists")),
            blocks=tuple(self._blocks(text)),
        )  # fmt: skip

    def _blocks(self, text: Text) -> Iterator[Block]:
        yield from self._basis(text)
        yield from self._taught(text)
        yield from self._staff(text)
        yield from self._done(text)
        yield from self._owed(text)
        yield from self._signatures(text)

    def _basis(self, text: Text) -> Iterator[Block]:
        rule, store = basis(), self._agent.settings.store
        verified = text("incident.verified" if rule.verified else "incident.unverified")
        unknown = text("report.unknown")
        yield Heading(text=text("training.h_basis"))
        yield Facts(
            rows=(
                (text("training.f_rule"), f"{rule.source} ({rule.date}; {verified})"),
                (text("report.store"), self._store or store.name),
                (text("report.legal_entity"), store.legal_entity or unknown),
                (text("training.f_staff"), str(self._standing.staff)),
                (text("training.f_sessions"), str(len(self._sessions))),
                (text("training.f_acknowledgements"), str(len(self._acknowledgements))),
            )
        )

    def _taught(self, text: Text) -> Iterator[Block]:
        language, separator = text.language, "、" if text.language == "zh-CN" else ", "
        yield Heading(text=text("training.h_taught"))
        for course in self._courses.values():
            roles = separator.join(role_name(role, text) for role in course.roles)
            yield Heading(text=course.title[language], level=2)
            key = "training.course_facts" if course.pass_score is not None else "training.course_facts_untested"
            yield Paragraph(
                text=text(
                    key, roles=roles, months=course.interval_months, minutes=course.minutes,
                    score=course.pass_score or 0,
                ),
                small=True,
            )  # fmt: skip
            yield Bullets(items=course.outline[language])
        for policy in self._policies.values():
            roles = separator.join(role_name(role, text) for role in policy.roles)
            yield Heading(text=text("training.sign", title=policy.title[language], version=policy.version), level=2)
            yield Paragraph(text=text("training.policy_facts", roles=roles, sha256=policy.digest), small=True)
            yield Paragraph(text=policy.text[language])

    def _staff(self, text: Text) -> Iterator[Block]:
        overdue = {entry.staff.number for entry in self._standing.overdue}
        people = self._people
        yield Heading(text=text("training.h_staff"))
        if not people:
            yield Paragraph(text=text("training.no_staff"))
            return
        yield Table(
            header=tuple(text(f"training.t_{name}") for name in ("number", "name", "role", "store", "state")),
            rows=tuple(
                (
                    person.number, person.name, self._role(person, text), person.store,
                    self._state(person, overdue, text),
                )
                for person in people
            ),
            widths=(16, 18, 24, 24, 18),
            marked=frozenset(index for index, person in enumerate(people) if person.number in overdue),
        )  # fmt: skip

    def _state(self, person: Staff, overdue: set[str], text: Text) -> str:
        if person.left:
            return text("training.state_left", date=person.left.isoformat())
        return text("training.state_overdue" if person.number in overdue else "training.state_current")

    @staticmethod
    def _role(person: Staff, text: Text) -> str:
        name = role_name(person.role, text)
        return name if person.title in ("", name) else f"{name} ({person.title})"

    def _done(self, text: Text) -> Iterator[Block]:
        names = {person.number: person.name for person in self._people}
        language = text.language
        yield Heading(text=text("training.h_sessions"))
        if not self._sessions:
            yield Paragraph(text=text("training.no_sessions"))
        else:
            yield Table(
                header=tuple(text(f"training.t_{name}") for name in ("date", "staff", "course", "trainer", "result")),
                rows=tuple(
                    (
                        entry.on.isoformat(), f"{entry.number} {names[entry.number]}",
                        self._courses[entry.course].title[language] if entry.course in self._courses else entry.course,
                        entry.trainer or "–", self._result(entry.result, entry.score, text),
                    )
                    for entry in self._sessions
                ),
                widths=(15, 23, 32, 15, 15),
                marked=frozenset(i for i, entry in enumerate(self._sessions) if entry.result == "failed"),
            )  # fmt: skip
        yield Heading(text=text("training.h_acknowledgements"))
        if not self._acknowledgements:
            yield Paragraph(text=text("training.no_acknowledgements"))
            return
        yield Table(
            header=tuple(text(f"training.t_{name}") for name in ("date", "staff", "policy", "how", "hash")),
            rows=tuple(
                (
                    entry.on.isoformat(), f"{entry.number} {names[entry.number]}",
                    self._signed(entry.policy, entry.version, text), text(f"training.how_{entry.how}"),
                    entry.digest[:16],
                )
                for entry in self._acknowledgements
            ),
            widths=(15, 23, 32, 12, 18),
        )  # fmt: skip

    def _signed(self, policy: str, version: str, text: Text) -> str:
        known = self._policies.get(policy)
        return text("training.sign", title=known.title[text.language] if known else policy, version=version)

    @staticmethod
    def _result(result: str, score: int | None, text: Text) -> str:
        word = text(f"training.result_{result}")
        return word if score is None else f"{word} {score}"

    def _owed(self, text: Text) -> Iterator[Block]:
        today = self._standing.today
        soon = [entry for entry in self._standing.owed if entry.due <= today + timedelta(days=60)]
        yield Heading(text=text("training.h_due"))
        if not soon:
            yield Paragraph(text=text("training.nothing_due"))
            return
        yield Table(
            header=tuple(text(f"training.t_{name}") for name in ("due", "staff", "what", "days")),
            rows=tuple(
                (
                    entry.due.isoformat(), f"{entry.staff.number} {entry.staff.name}", self._what(entry, text),
                    str(entry.days_left(today)),
                )
                for entry in soon
            ),
            widths=(17, 28, 40, 15),
            marked=frozenset(index for index, entry in enumerate(soon) if entry.due < today),
        )  # fmt: skip

    def _what(self, entry: Due, text: Text) -> str:
        if entry.kind == "course":
            return self._courses[entry.id].title[text.language]
        policy = self._policies[entry.id]
        return text("training.sign", title=policy.title[text.language], version=policy.version)

    def _signatures(self, text: Text) -> Iterator[Block]:
        here = [person for person in self._people if person.left is None]
        empty = max(0, SIGNERS - len(here))
        yield PageBreak()
        yield Heading(text=text("training.h_signatures"))
        yield Paragraph(text=text("training.signatures_lead"))
        yield Table(
            header=tuple(text(f"training.t_{name}") for name in ("number", "name", "signature", "date")),
            rows=(*((person.number, person.name, ROOM, "") for person in here), *((("", "", ROOM, ""),) * empty)),
            widths=(18, 22, 40, 20),
        )
        yield Facts(rows=((text("training.f_trainer"), ROOM), (text("training.f_checked"), ROOM)))

    def as_csv(self, text: Text) -> bytes:
        """One line a person and duty: what was done last and when it is due; phones are not in it."""
        header = [text(f"training.t_{name}") for name in ("number", "name", "role", "store", "kind", "what", "last",
                                                          "result", "due", "days")]  # fmt: skip
        rows: list[Sequence[str]] = [header]
        last = {(entry.number, entry.course): entry for entry in self._sessions}
        names = {person.number: person for person in self._people}
        for entry in self._standing.owed:
            session = last.get((entry.staff.number, entry.id)) if entry.kind == "course" else None
            rows.append([
                *self._who(entry.staff, text), text(f"training.kind_{entry.kind}"), self._what(entry, text),
                entry.last.isoformat() if entry.last else "",
                self._result(session.result, session.score, text) if session else "", entry.due.isoformat(),
                str(entry.days_left(self._standing.today)),
            ])  # fmt: skip
        rows.extend(
            [
                *self._who(names[given.number], text), text("training.kind_policy"),
                self._signed(given.policy, given.version, text), given.on.isoformat(),
                text(f"training.how_{given.how}"), "", "",
            ]
            for given in self._acknowledgements
        )  # fmt: skip
        return write_csv(rows)

    def _who(self, person: Staff, text: Text) -> list[str]:
        return [person.number, person.name, self._role(person, text), person.store]
