"""What is out too long and which contract ends soon is told; a share ends with evidence."""

import pytest
from sqlalchemy import select
from vendor_shop import ask, descriptors, members, opened, register, share, without_forms  # noqa: F401

from agent.messages.models import MessageRow
from agent.vendors import ending
from agent.vendors.duties import look_after
from agent.vendors.ending import open_shares
from config.errors import RefusedError, UsageError


def test_what_is_out_too_long_is_told_and_ends_with_evidence(tmp_path):
    source, certificate = tmp_path / "a.csv", tmp_path / "销毁证明.pdf"
    source.write_bytes(members(9))
    certificate.write_bytes(b"%PDF-1.4 stamped")
    with opened(tmp_path) as (agent, clock):
        register(agent, ends="2027-12-31")
        _, document = share(agent, tmp_path, source, days=3)
        look_after(agent, clock.now)
        assert not told(agent)
        clock.turn(minutes=4 * 24 * 60)
        assert open_shares(agent)[0].overdue
        look_after(agent, clock.now)
        once = told(agent)
        assert once
        assert all(document["id"] in subject for subject in once)
        for _ in range(3):
            clock.turn(minutes=1)
            look_after(agent, clock.now)
        assert told(agent) == once
        clock.turn(minutes=8 * 24 * 60)
        look_after(agent, clock.now)
        assert told(agent) == once * 2
        with pytest.raises(UsageError, match="--note"):
            ask(agent, ending.end, {"package": document["id"], "state": "destroyed"})
        with descriptors(certificate) as found:
            ended = ask(agent, ending.end, {"package": document["id"], "state": "destroyed", "by": "赵虚构"}, found)
        assert ended.document["state"] == "destroyed"
        assert len(ended.document["end_evidence"]) == 64
        assert open_shares(agent) == []
        with pytest.raises(RefusedError, match="已销毁"):
            ask(agent, ending.end, {"package": document["id"], "state": "returned", "note": "x"})


def told(agent):
    with agent.inventory.sessions() as session:
        return [row.subject for row in session.scalars(select(MessageRow))]


def test_a_contract_that_ends_soon_is_told(tmp_path):
    with opened(tmp_path) as (agent, clock):
        register(agent, ends="2026-12-10")
        look_after(agent, clock.now)
        once = told(agent)
        assert once
        assert all("HT-1" in subject for subject in once)
        look_after(agent, clock.now)
        assert told(agent) == once
