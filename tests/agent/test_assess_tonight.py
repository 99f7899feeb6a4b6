"""If this server were stolen tonight: what a thief would have, and what would be due."""

from __future__ import annotations

import pytest
from assess_shop import a_home, a_share, call, inventoried, looked, opened  # noqa: F401

from agent.assess.machine import Machine
from agent.assess.tonight import document_of, rendered, tonight
from agent.incident.store import incidents
from config.errors import ClocheError
from config.identity import make_identity


def test_what_a_thief_would_have_is_counted_and_nothing_is_recorded_or_sent(home, share, tmp_path):
    with opened(home, store={"name": "测试一店", "province": "上海市"}) as agent:
        inventoried(agent, share, {"会员.csv": 300, "预订.csv": 40, "members.sql": 300})
        agent.keyring.adopt(make_identity("recovery").public)
        call(agent, "protect", paths=[str(share / "预订.csv")])
        before = home.audit_log.read_bytes()
        look = looked(agent, tmp_path)
        found = tonight(look)
        document = document_of(found, look)
        assert (document["strays"]["files"], document["sealed"]["files"]) == (2, 1)
        assert document["persons"] == 600
        running = {duty["key"] for duty in document["duties"] if duty["state"] == "running"}
        assert {key for key in running if key.startswith("cn-pipl/")}
        assert "cn-incident-reporting/province-4h" not in running
        best = document["lower"][0]
        assert (best["id"], best["persons"]) == ("seal_strays", 600)
        assert len(document["drafts"]) > 3
        assert incidents(agent).all() == []
        assert home.audit_log.read_bytes() == before
        assert not list(home.documents.rglob("*.docx"))
        assert agent.outbox.pending() == []


def test_every_draft_of_the_hypothesis_says_so_on_each_page(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        look = looked(agent, tmp_path)
        files = rendered(look, tonight(look), ("html",))
    assert len(files) > 6
    for name, content in files.items():
        page = content.decode("utf-8")
        words_of_it = "假设情形，不是真实事件" if ".zh-CN." in name else "HYPOTHETICAL"
        assert words_of_it in page, name
        assert name.startswith("假设" if ".zh-CN." in name else "hypothetical")


def test_a_million_persons_would_start_the_four_hours_and_an_unscanned_store_gets_no_guess(home, share, tmp_path):
    with opened(home) as agent:
        with pytest.raises(ClocheError, match="扫描"):
            tonight(looked(agent, tmp_path))
        inventoried(agent, share, {"会员.csv": 1_200_000})
        look = looked(agent, tmp_path)
        states = {clock.key: clock.state for clock in tonight(look).clocks}
        assert states["cn-incident-reporting/province-4h"] == "running"


def test_an_encrypted_volume_is_out_of_a_thiefs_reach(home, share, tmp_path):
    class Encrypted(Machine):
        def is_encrypted(self, path):
            return True

    with opened(home) as agent:
        inventoried(agent, share)
        machine = Encrypted(tmp_path / "nothing", run=lambda _command: None)
        found = tonight(looked(agent, tmp_path, machine=machine))
        assert (found.persons, len(found.locked)) == (0, 3)
