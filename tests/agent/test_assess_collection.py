"""Where customers' data is collected, and the places out of sight: registered, explained, kept in bounds."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from assess_shop import a_home, a_share, call, inventoried, looked, opened, result_of, words  # noqa: F401
from shops import NOW

from config.errors import UsageError


def test_collection_points_are_held_against_what_the_scan_found(home, share, tmp_path):
    with opened(home) as agent:
        inventoried(agent, share)
        assert result_of(looked(agent, tmp_path), "collection_register").state == "unknown"
        call(agent, "assess.collection", act="add", channel="booking", name="前台预订", paths=[str(share / "预订.csv")])
        look = looked(agent, tmp_path)
        assert "缺" in words(result_of(look, "collection_register"))
        assert "会员.csv" in words(result_of(look, "collection_explained"))
        checked = call(agent, "assess.collection", act="check")
        assert {os.path.basename(one["path"]) for one in checked["unexplained"]} == {"会员.csv", "members.sql"}
        call(
            agent,
            "assess.collection",
            act="add",
            name="前台预订",
            purpose="预订座位",
            basis="contract",
            retention_days=30,
        )
        call(agent, "assess.collection", act="add", channel="member", name="会员", purpose="积分", basis="consent",
             retention_days=365, paths=[str(share)])  # fmt: skip
        look = looked(agent, tmp_path)
        assert result_of(look, "collection_register").state == "good"
        assert result_of(look, "collection_explained").state == "good"
        call(agent, "assess.collection", act="add", channel="parking", name="停车", paths=["/nowhere"])
        assert "停车" in words(result_of(looked(agent, tmp_path), "collection_explained"))
        call(agent, "assess.collection", act="remove", name="停车")
        assert result_of(looked(agent, tmp_path), "collection_explained").state == "good"


def test_data_older_than_the_retention_of_its_point_is_found(home, share, tmp_path):
    old = time.time() - 100 * 86_400
    os.utime(share / "预订.csv", (old, old))
    with opened(home) as agent:
        inventoried(agent, share)
        assert result_of(looked(agent, tmp_path), "retention_kept").state == "unknown"
        call(
            agent, "assess.collection", act="add", channel="booking", name="预订", retention_days=30, paths=[str(share)]
        )
        found = result_of(looked(agent, tmp_path), "retention_kept")
        assert (found.state, "预订.csv" in words(found)) == ("partial", True)
        call(agent, "assess.collection", act="add", name="预订", retention_days=365)
        assert result_of(looked(agent, tmp_path), "retention_kept").state == "good"


@pytest.mark.parametrize(
    "wrong",
    [{"channel": "teleport"}, {"channel": "member", "basis": "because"}, {"channel": "member", "retention_days": 0},
     {"channel": "member", "name": ""}, {"channel": "member", "name": "x" * 100}],
)  # fmt: skip
def test_a_point_that_cannot_be_is_refused(home, wrong):
    with opened(home) as agent, pytest.raises(UsageError):
        call(agent, "assess.collection", **{"act": "add", "name": "会员", **wrong})


def test_places_out_of_sight_need_an_owner_who_looks_in_time(home, tmp_path):
    with opened(home) as agent:
        assert result_of(looked(agent, tmp_path), "blind_spots").state == "unknown"
        call(agent, "assess.blind", act="add", name="前台收银机", kind="windows_till", owner="李样例", every_days=30)
        assert "前台收银机" in words(result_of(looked(agent, tmp_path), "blind_spots"))
        call(agent, "assess.blind", act="attest", name="前台收银机", note="没有存名单")
        assert result_of(looked(agent, tmp_path), "blind_spots").state == "good"
        late = looked(agent, tmp_path, now=NOW + timedelta(days=31))
        assert result_of(late, "blind_spots").state == "bad"
        assert "windows_till" not in call(agent, "assess.blind", act="suggest")["suggested"]
        for wrong in ({"name": "x", "kind": "moon"}, {"name": "x", "kind": "phone", "owner": "没有的人"},
                      {"name": "x", "kind": "phone", "every_days": -1}):  # fmt: skip
            with pytest.raises(UsageError):
                call(agent, "assess.blind", act="add", **wrong)
        with pytest.raises(UsageError):
            call(agent, "assess.blind", act="attest", name="没有的地方")
