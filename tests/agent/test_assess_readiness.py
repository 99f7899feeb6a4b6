"""Alerts, incidents, keys, senders, standing duties and the record: what is not ready is named."""

from __future__ import annotations

from datetime import timedelta

from assess_shop import Guarding, a_home, a_share, call, inventoried, looked, opened, result_of, words  # noqa: F401
from shops import NOW

from agent.incident.records import Affected
from agent.incident.store import incidents
from agent.inventory.records import Alert
from config.identity import make_identity


def test_alerts_and_incidents_that_nobody_ends_and_deadlines_that_passed_are_named(home, tmp_path):
    with opened(home, watch=Guarding()) as agent:
        look = looked(agent, tmp_path)
        assert [result_of(look, name).state for name in ("alerts_handled", "incidents", "duties")] == ["good"] * 3
        alert = agent.inventory.add_alert(
            Alert(at=NOW - timedelta(days=2), kind="bound", severity="warning", text="有人读了很多")
        )
        found = (NOW - timedelta(days=60)).isoformat()
        call(agent, "incident.report", kind="intrusion", summary="测试", discovered_at=found, occurred_at="", place="",
             types=[], paths=[], scope=None)  # fmt: skip
        incident = incidents(agent).all()[0]
        incidents(agent).set_items(incident.id, [Affected(key="k", path=b"/x", name="x", persons=2_000_000)])
        incidents(agent).change(incident.id, persons=2_000_000)
        look = looked(agent, tmp_path)
        assert "有人读了很多" in words(result_of(look, "alerts_handled"))
        assert incident.id in words(result_of(look, "incidents"))
        assert result_of(look, "duties").state == "bad"
        agent.inventory.close_alerts([alert.id])
        assert result_of(looked(agent, tmp_path), "alerts_handled").state == "good"


def test_keys_are_good_once_they_were_tried_and_the_mode_once_it_protects(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "keys").state == "bad"
        agent.keyring.adopt(make_identity("recovery").public)
        assert result_of(looked(agent, tmp_path), "keys").state == "partial"
        agent.audit.append("keys.recover", "测试甲", opens=3)
        assert result_of(looked(agent, tmp_path), "keys").state == "good"
        assert result_of(looked(agent, tmp_path, now=NOW + timedelta(days=400)), "keys").state == "partial"
        assert result_of(looked(agent, tmp_path), "sealing_mode").state == "bad"
    with opened(home, protect={"mode": "protect"}) as agent:
        assert result_of(looked(agent, tmp_path), "sealing_mode").state == "good"


def test_an_sms_signature_that_nobody_registered_is_unknown_and_one_without_sms_does_not_apply(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "not_applicable"
        assert result_of(looked(agent, tmp_path), "senders").state == "bad"
    sms = {"sms_url": "https://sms.example.com/send", "sms_sign": "测试餐饮"}
    with opened(home, senders=sms) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "unknown"
    with opened(home, senders={**sms, "sms_sign_registered": "refused"}) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "bad"
    template = [{"id": "T1", "use": "notice"}]
    with opened(home, senders={**sms, "sms_sign_registered": "registered", "sms_templates": template}) as agent:
        assert result_of(looked(agent, tmp_path), "sms_signature").state == "good"
        assert result_of(looked(agent, tmp_path), "senders").state == "partial"


def test_duties_that_come_with_a_million_persons_are_asked_for(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        assert result_of(looked(agent, tmp_path), "standing_duties").state == "not_applicable"
        inventoried(agent, share, {"会员.csv": 1_500_000})
        found = result_of(looked(agent, tmp_path), "standing_duties")
        assert (found.state, found.command) == ("bad", "cloche assess attest officer")
        call(agent, "assess.attest", subject="officer", by="李样例")
        assert result_of(looked(agent, tmp_path), "standing_duties").state == "good"
        inventoried(agent, share, {"会员.csv": 12_000_000})
        assert result_of(looked(agent, tmp_path), "standing_duties").state == "partial"


def test_a_broken_record_is_bad_and_a_printed_head_anchors_it(home, tmp_path):
    with opened(home) as agent:
        agent.audit.append("test.act", "测试甲")
        look = looked(agent, tmp_path)
        assert (result_of(look, "record_whole").state, result_of(look, "anchored").state) == ("good", "bad")
        call(agent, "assess.attest", subject="anchor", by="李样例")
        assert result_of(looked(agent, tmp_path), "anchored").state == "good"
        home.audit_log.write_bytes(home.audit_log.read_bytes().replace(b"test.act", b"test.ack"))
        assert result_of(looked(agent, tmp_path), "record_whole").state == "bad"
