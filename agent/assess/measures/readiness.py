"""四 and 五.3: incidents brought to an end, duties met in time, a record that is whole, kept, anchored and reviewed."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final

from agent.assess.look import SHOWN, Look
from agent.assess.records import Result, bad, good, not_applicable, partial, say, unknown

ATTESTED_DUTIES: Final = ("officer", "compliance_audit")
"""Subjects of standing duties that only a person can say are done."""


class Incidents:
    """No incident lies open for longer than a month."""

    id: ClassVar[str] = "incidents"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.incident.store import incidents

        every = incidents(look.agent).all()
        still = [one for one in every if one.phase not in ("closed", "dismissed")]
        old = [one for one in still if look.now > one.discovered_at + timedelta(days=look.limit(self.id, "days"))]
        evidence = say("assess.ev_incidents", open=len(still), old=len(old), all=len(every))
        if not old:
            return good(evidence)
        named = (say("assess.ev_incident", id=one.id, date=look.day(one.discovered_at)) for one in old[:SHOWN])
        return bad(f"cloche incident show {old[-1].id}", evidence, *named)


class Duties:
    """No clock of any incident under way has run out."""

    id: ClassVar[str] = "duties"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.incident.store import incidents
        from agent.incident.view import clocks_of

        store = incidents(look.agent)
        late = [
            (one.id, clock)
            for one in store.all()
            if one.phase not in ("closed", "dismissed")
            for clock in clocks_of(look.agent, store.get(one.id), look.now)
            if clock.state == "overdue"
        ]
        if not late:
            return good(say("assess.ev_no_overdue"))
        language = look.agent.text.language
        named = tuple(
            say("assess.ev_overdue_clock", id=incident, title=clock.duty.title[language],
                verified="@incident.verified" if clock.verified else "@incident.unverified")
            for incident, clock in late[:SHOWN]
        )  # fmt: skip
        return bad(f"cloche incident show {late[0][0]}", say("assess.ev_overdue_duties", count=len(late)), *named)


class RecordWhole:
    """The record of every act and the timelines of all incidents: every entry as it was written."""

    id: ClassVar[str] = "record_whole"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.audit.whole import verify_all

        state = verify_all(look.agent)
        if not state.ok:
            named = (say("assess.ev_fault", what=fault.name, fault=fault.fault) for fault in state.faults[:SHOWN])
            return bad("cloche audit verify", say("assess.ev_broken", count=len(state.faults)), *named)
        if not state.log.entries:
            return unknown("cloche audit verify", say("assess.ev_no_record"))
        return good(say("assess.ev_whole", entries=state.log.entries, timelines=len(state.timelines)))


class RecordsKept:
    """Records are kept as long as the law says; what went earlier, or lies longer than its rule, is named."""

    id: ClassVar[str] = "records_kept"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.audit.retention import held

        kinds = held(look.agent, look.now)
        early = [kind for kind in kinds if kind.lost_early]
        evidence = say("assess.ev_kept", kinds=len(kinds))
        if not early:
            return good(evidence)
        return bad("cloche audit retention", evidence,
                   *(say("assess.ev_lost_early", kind=f"@audit.kind_{kind.id}", days=kind.at_least_days)
                     for kind in early))  # fmt: skip


class Anchored:
    """The head of the record is known outside this machine: at head office, or on paper. Else a cut tail is unseen."""

    id: ClassVar[str] = "anchored"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from datetime import datetime

        link = look.agent.outbox.link_state()
        word = look.attested("anchor")
        if link.last_contact:
            contact = datetime.fromisoformat(link.last_contact)
            evidence = say("assess.ev_contact", date=look.day(contact), waiting=len(look.agent.outbox.pending()))
            if look.now <= contact + timedelta(hours=look.limit(self.id, "contact_hours")):
                return good(evidence)
            if word is None:
                return bad("cloche doctor", evidence)
        if word is not None and word.ok:
            return good(look.word(word))
        return bad("cloche audit export", say("assess.ev_unanchored"))


class StandingDuties:
    """What the law asks of whoever holds so many persons, incident or not: filings, and audits by the clock."""

    id: ClassVar[str] = "standing_duties"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.incident.law import standing_about

        if look.survey.last_run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        persons, language = look.survey.persons_in(look.survey.files), look.agent.text.language
        due = [
            (subject, duty)
            for subject in ATTESTED_DUTIES
            for _regime, duty in standing_about(subject)
            if duty.when.held_persons is not None and persons >= duty.when.held_persons
        ]
        evidence = say("assess.ev_held", persons=persons, duties=len(due))
        if not due:
            return not_applicable(evidence)
        words = [(subject, duty, look.attested(subject)) for subject, duty in due]
        said = tuple(
            say("assess.ev_standing", title=duty.title[language],
                verified="@incident.verified" if duty.verified else "@incident.unverified",
                done="@assess.done" if word is not None and word.ok else "@assess.not_done")
            for _subject, duty, word in words
        )  # fmt: skip
        left = [subject for subject, _duty, word in words if word is None or not word.ok]
        if not left:
            return good(evidence, *said)
        score, command = 1 - len(left) / len(due), f"cloche assess attest {left[0]}"
        return partial(score, command, evidence, *said) if score else bad(command, evidence, *said)


class Review:
    """A person has looked at an assessment lately, and somebody from outside has reviewed (五.3)."""

    id: ClassVar[str] = "review"

    def measure(self, look: Look) -> Result:
        """See the class."""
        since = look.now - timedelta(days=look.limit(self.id, "days"))
        mine = [kept for kept in look.store.assessments(limit=200) if kept.actor != "cloche" and kept.at > since]
        outside = look.attested("external_review")
        evidence = [say("assess.ev_reviewed", count=len(mine), date=look.day(mine[0].at))] if mine else []
        if outside is not None and outside.ok:
            evidence.append(look.word(outside))
            return good(*evidence)
        if mine:
            return partial(look.limit(self.id, "internal"), "cloche audit export", *evidence,
                           say("assess.ev_no_outsider"))  # fmt: skip
        return unknown("cloche assess attest external_review", say("assess.ev_never_reviewed"))
