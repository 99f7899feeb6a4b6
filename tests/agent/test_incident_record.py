"""What an incident leaves on record: steps, signed evidence, papers, what got out, and never a customer's value."""

import json
import os
import shutil
from dataclasses import replace

import incident_shop
import premises
import pytest
from incident_shop import PEOPLES, GuardStandIn, acts
from premises import PLANTED
from shops import NOW, declaration, inventoried, opened

from agent.audit import verify
from agent.incident.declare import declare, report
from agent.incident.evidence import as_json, crossing_facts, event_facts, process_facts
from agent.incident.undo import dismiss
from agent.inventory.records import Alert
from agent.watch.api import AccessEvent, Crossing
from containment.evidence import verify_chain
from containment.processes import Holder

home = premises.home
share = incident_shop.share


@pytest.mark.papers
def test_every_step_stands_in_the_record_and_the_evidence_is_signed(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        incident = declare(agent, declaration(paths=(os.fsencode(share),)))
        states = verify_chain(home.evidence / incident.id, agent.keyring.public_key)
        assert [state.intact for state in states] == [True]
        recorded = [json.loads(line) for line in home.audit_log.read_bytes().splitlines()]
        every = [entry["act"] for entry in recorded if entry["details"].get("incident") == incident.id]
        assert every == [f"incident.{step.act}" for step in incident.steps]
        mine = [act for act in every if not act.removeprefix("incident.").startswith(PEOPLES)]
        wanted = ["declare", "deny", "stop", "vault", "evidence", "documents", "outbox"]
        assert mine == [f"incident.{act}" for act in wanted] == [f"incident.{act}" for act in acts(incident)]
        assert [kind for _number, kind in agent.outbox.pending()] == ["incident"]
        assert len(list((home.documents / incident.id).iterdir())) == 6
        assert verify(home.audit_log, agent.keyring.public_key).signed_to == len(recorded)


def test_no_name_or_summary_carries_a_value_out(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        words = f"顾客 {PLANTED} 来电投诉"
        incident = declare(agent, declaration(summary=words, place=words, paths=(os.fsencode(share),)))
        dismiss(agent, incident.id, "测试乙", words, None)
        places = [home.audit_log, *home.documents.rglob("*.html")]
        for folder in (home.evidence, home.outbox, home.timelines):
            places += [path for path in folder.rglob("*") if path.is_file()]
        for path in places:
            assert PLANTED.encode() not in path.read_bytes(), path
        for path in home.documents.rglob("*.docx"):
            folder = path.with_suffix("")
            shutil.unpack_archive(path, folder, "zip")
            assert PLANTED not in (folder / "word" / "document.xml").read_text(encoding="utf-8")


def test_evidence_masks_what_it_is_given_whoever_forgot_to(home):
    raw = f"/s/{PLANTED}.csv".encode()
    with opened(home) as agent:
        event = AccessEvent(at=0.0, monotonic_ns=0, key="k", path=raw, operation="read", program=raw, command=raw)
        held = Holder(pid=9, started=1, program=raw, command=raw, uid=0, session=1, paths=(raw,))
        crossing = Crossing(
            event=event, rule="bound", subject="user", keys=("k",), persons=1, response="alert", outcome="alerted"
        )
        facts = [event_facts(event, agent.mask), crossing_facts(crossing, agent.mask), process_facts(held, agent.mask)]
        assert PLANTED.encode() not in as_json(facts)


def test_what_left_is_told_from_the_suspects_accesses_alone(home, share):
    watch = GuardStandIn()
    with opened(home, watch=watch) as agent:
        keys = inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40})
        base = AccessEvent(at=0.0, monotonic_ns=0, key="", path=b"", operation="read", uid=1000)
        start = NOW.timestamp() - 60
        thief = replace(base, session="c9", user="cashier", program=b"/usr/bin/tar", command=f"tar {PLANTED}".encode())
        for event in (
            replace(thief, at=start, key=keys["会员.csv"], decision="allow"),
            replace(thief, at=start + 0.5, key=keys["会员.csv"], decision="allow"),
            replace(thief, at=start + 0.8, key=keys["预订.csv"], decision="deny"),
            replace(base, at=start + 9, session="c1", user="manager", key=keys["预订.csv"], decision="allow"),
        ):
            agent.events.add(event, agent.mask)
        alert = agent.inventory.add_alert(
            Alert(at=NOW, kind="bound", severity="critical", text="x", keys=(keys["会员.csv"],), session="c9")
        )
        incident = declare(agent, declaration(paths=(os.fsencode(share),), machine=True))
        assert (incident.left_files, incident.left_persons, incident.left_seconds) == (1, 300, pytest.approx(0.5))
        (evidence,) = [step for step in incident.steps if step.act == "evidence"]
        first = evidence.details["deeds"][0]
        assert (first["user"], first["suspect"], first["files"], first["refused"]) == ("cashier", True, 1, 1)
        assert PLANTED not in json.dumps(evidence.details)
        dismiss(agent, incident.id, "测试乙", "", None)
        assert watch.pardoned == ["c9"]
        assert alert.id not in {entry.id for entry in agent.inventory.alerts()}


@pytest.mark.papers
def test_a_report_once_written_is_never_written_over(home, share):
    with opened(home) as agent:
        inventoried(agent, share)
        first = report(agent, declaration())
        papers = {path: path.read_bytes() for path in (home.documents / first.id).iterdir()}
        declare(agent, declaration(paths=(os.fsencode(share),)), first.id)
        dismiss(agent, first.id, "测试乙", "", None)
        assert {path: path.read_bytes() for path in papers} == papers
        assert len(list((home.documents / first.id).iterdir())) == 18
