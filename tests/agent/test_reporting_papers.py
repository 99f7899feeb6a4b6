"""Papers of an incident for head office: what people read on the store, and nothing with a customer's value."""

import hashlib
import json
import os
import time
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from reports_shop import PLANTED, opened, stored

from agent.incident.documents import write_documents
from agent.incident.store import incidents
from agent.link.spool import Spool
from agent.notice.never import Never
from agent.reporting.papers import MOST_BYTES, leaks, tell_papers, text_of
from agent.reports import drafting
from central.documents import read_report

NOBODY = Never(contacts=frozenset(), domains=frozenset())


def told(agent):
    """Papers that wait, each as head office takes it, by name."""
    spool = Spool(agent.home.outbox)
    try:
        found = [spool.read(number, kind).body for number, kind in spool.pending() if kind == "paper"]
    finally:
        spool.close()
    papers = [read_report(body)[1] for body in found]
    return {paper.name: (paper, b64decode(paper.content)) for paper in papers}


def settle(agent, incident):
    """Papers are told once nobody has written them for some seconds."""
    before = time.time() - 3600
    for path in (agent.home.documents / incident.id).rglob("*"):
        os.utime(path, (before, before))


def tell_all(agent, incident):
    settle(agent, incident)
    count = 0
    while some := tell_papers(agent, agent.now()):
        count += some
    return count


@pytest.fixture
def shop(tmp_path):
    with opened(tmp_path, people=[
        {"name": "王测试", "roles": ["legal", "privacy_officer"], "user": "lawyer", "contact": "138 0000 0000"},
        {"name": "李样例", "roles": ["response_lead"], "user": "lead"},
    ]) as agent:  # fmt: skip
        stamp = datetime.now(UTC)
        agent.now = lambda: stamp
        yield agent, stored(agent)


def test_reports_and_drafts_are_told_in_both_languages_and_all_forms(shop):
    agent, incident = shop
    write_documents(agent, incident)
    drafting.keep_drafts(agent, agent.now())
    assert tell_all(agent, incident) > 10
    papers = told(agent)
    assert {paper.language for paper, _content in papers.values()} == {"zh-CN", "en"}
    assert {paper.media.rsplit("/", 1)[-1][:4] for paper, _content in papers.values()} >= {"html", "vnd."}
    assert any(name.startswith("drafts/") for name in papers)
    for name, (paper, content) in papers.items():
        kept = (agent.home.documents / incident.id / name).read_bytes()
        assert (content, paper.sha256) == (kept, hashlib.sha256(kept).hexdigest())
    assert tell_all(agent, incident) == 0


def test_a_paper_with_a_customers_value_stays_here_in_every_form_and_that_is_on_record(shop):
    agent, incident = shop
    folder = agent.home.documents / incident.id
    folder.mkdir(parents=True)
    for name, text in (("好的-01.zh-CN", "三百人，138****1111"), ("坏的-01.zh-CN", f"顾客 {PLANTED}")):
        (folder / f"{name}.html").write_text(f"<html><body><p>{text}</p></body></html>")
        (folder / f"{name}.docx").write_bytes(b"PK made up")
        (folder / f"{name}.pdf").write_bytes(b"%PDF made up")
    (folder / "图.svg").write_text(f'<svg><text x="1">电<tspan>话</tspan> {PLANTED}</text></svg>')
    (folder / "单独.pdf").write_bytes(b"%PDF without a text beside it")
    assert tell_all(agent, incident) == 3, "html, docx and pdf of the good one"
    assert {name.split(".")[0] for name in told(agent)} == {"好的-01"}
    held = [line for line in agent.home.audit_log.read_text().splitlines() if "report.paper_held" in line]
    assert len(held) == 4
    assert PLANTED not in "".join(held)
    (folder / "坏的-01.zh-CN.html").write_text("<p>三百人</p>")
    assert tell_all(agent, incident) == 3, "once it is put right, it goes"


def test_only_the_newest_version_goes_and_what_is_being_written_waits(shop):
    agent, incident = shop
    folder = agent.home.documents / incident.id
    folder.mkdir(parents=True)
    for version in (1, 2, 3):
        (folder / f"报告-{version:02d}.en.html").write_text(f"<p>{version}</p>")
    assert tell_papers(agent, agent.now()) == 0
    assert tell_all(agent, incident) == 1
    assert list(told(agent)) == ["报告-03.en.html"]


def test_links_and_what_is_too_large_stay_here(shop, tmp_path):
    agent, incident = shop
    folder = agent.home.documents / incident.id
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere.html").write_text("<p>x</p>")
    (folder / "link.html").symlink_to(tmp_path / "elsewhere.html")
    (folder / "large.html").write_bytes(b"<p>" + b"x" * MOST_BYTES)
    (folder / "list.csv").write_text("a,b\n")
    assert tell_all(agent, incident) == 0
    assert told(agent) == {}


def test_a_closed_incidents_last_papers_go_and_then_nobody_looks_again(shop):
    agent, incident = shop
    folder = agent.home.documents / incident.id
    folder.mkdir(parents=True)
    (folder / "结案.html").write_text("<p>完</p>")
    incidents(agent).change(incident.id, phase="closed")
    assert tell_all(agent, incident) == 1
    (folder / "later.html").write_text("<p>x</p>")
    assert tell_all(agent, incident) == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"电话 {PLANTED}", ("PHONE_NUMBER",)),
        ("邮箱 guest1@example.com", ("EMAIL_ADDRESS",)),
        ("身份证 11010119900307109X", ("CN_RESIDENT_ID",)),
        ("电话 138****1111，邮箱 g***@***.com，身份证 110*************9X", ()),
        (f"{'ab12' * 16} 摘要", ()),
        ("2026-11-26 03:58:12，192.168.1.20", ()),
    ],
)
def test_what_counts_as_a_value_in_a_paper(text, found):
    assert leaks(text, NOBODY) == found


def test_text_hidden_in_marks_of_a_page_is_seen_as_a_reader_sees_it():
    shown = text_of(f"<style>p{{}}</style><p>{PLANTED[:5]}&#49;</p><p>&lt;b&gt;</p>".encode())
    assert "<b>" in shown
    assert "style" not in shown
    assert json.dumps(shown)
