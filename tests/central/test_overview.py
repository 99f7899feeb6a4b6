"""The first page: who needs somebody, in which order, sums, filters, and what changed since yesterday."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from accounts_desk import database
from hq_shops import Chain, health, incident, inventory, place, tell
from sqlalchemy import delete, select, update

from central.models import Region, Store
from central.moments import now
from central.pages.attention import SILENT_AFTER, percent, word_of
from central.testing import OfficeProcess, SpeakingStore

Enrol = Callable[[str], SpeakingStore]


def read(page: httpx.Client, path: str = "/", /, **query: str) -> str:
    return page.get(path, params={"lang": "zh-CN", **query}).text


def tile_of(page: str, store_id: str) -> str:
    """The class of a store's tile or line: its urgency."""
    found = re.search(rf'class="(?:tile )?(\w+)" data-key="(?:tile|row)-{store_id}"', page)
    assert found, "the store is not on the page"
    return found[1]


def test_stores_stand_in_the_order_of_their_need(browser_page: httpx.Client, chain: Chain) -> None:
    page = read(browser_page)
    listed = page[page.index('id="list"') :]
    places = [listed.index(f'/stores/{store_id}"') for store_id in chain.by_need]
    assert places == sorted(places)
    needs = [tile_of(page, store_id) for store_id in chain.by_need]
    assert needs == ["incident", "alert", "fault", "exposed", "silent", "fine"]


def test_the_counts_agree_with_the_list(browser_page: httpx.Client, chain: Chain) -> None:
    page = read(browser_page)
    counts = dict(re.findall(r'class="chip (\w+)"[^>]*><b>([\d,]+)</b>', page))
    with_need = sum(
        int(counts.get(word, 0)) for word in ("incident", "alert", "fault", "exposed", "silent", "unscanned")
    )
    assert int(counts["needing"]) == with_need
    assert int(counts["all"]) == with_need + int(counts["fine"])
    for word in ("incident", "fault"):
        only = read(browser_page, urgency=word)
        assert f'<span class="count">{counts[word]}</span>' in only
        assert set(re.findall(r'data-key="(?:tile|row)-(s-\w+)"', only)) & {chain.fine, chain.silent} == set()


def test_sums_are_of_all_stores(browser_page: httpx.Client, chain: Chain, office: OfficeProcess) -> None:
    with database(office) as session:
        persons = sum(session.scalars(select(Store.persons)))
        places = sum(session.scalars(select(Store.places)))
    page = read(browser_page)
    assert f"<dd>{persons:,}</dd>" in page
    assert f"<dd>{places:,}</dd>" in page


def test_filters_narrow_by_text_region_and_urgency(
    browser_page: httpx.Client, chain: Chain, office: OfficeProcess
) -> None:
    with database(office) as session:
        session.merge(Region(id="r-east", name="东区 <i>"))
        session.flush()
        session.execute(update(Store).where(Store.id.in_([chain.fine, chain.open])).values(region_id="r-east"))
    region = read(browser_page, region="r-east")
    assert set(re.findall(r'data-key="(?:tile|row)-(s-\w+)"', region)) == {chain.fine, chain.open}
    assert "东区 &lt;i&gt;" in region
    both = read(browser_page, region="r-east", urgency="exposed")
    assert set(re.findall(r'data-key="(?:tile|row)-(s-\w+)"', both)) == {chain.open}
    text = read(browser_page, q="告警店")
    assert set(re.findall(r'data-key="(?:tile|row)-(s-\w+)"', text)) == {chain.alarmed}
    assert "没有符合条件的内容" in read(browser_page, q="100%")
    assert chain.fine in read(browser_page, q=chain.fine[:8])
    assert chain.fine in read(browser_page, urgency="no-such-word")


def test_hundreds_of_stores_come_fifty_a_page(browser_page: httpx.Client, office: OfficeProcess) -> None:
    with database(office) as session:
        for number in range(120):
            session.add(Store(id=f"s-many-{number:03d}", name=f"许多店 {number:03d}", made_at=now()))
    try:
        seen: list[str] = []
        for number in (1, 2, 3):
            page = read(browser_page, q="许多店", page=str(number))
            seen += re.findall(r'data-key="row-(s-many-\d+)"', page)
            assert f"第 {number} / 3 页" in page
        assert len(seen) == len(set(seen)) == 120
        assert 'rel="next"' not in page
    finally:
        with database(office) as session:
            session.execute(delete(Store).where(Store.id.startswith("s-many-")))


def test_silence_is_judged_when_asked(enrolled: Enrol, browser_page: httpx.Client, office: OfficeProcess) -> None:
    store = enrolled("渐渐没有声音的店")
    tell(store, ("inventory", inventory([place(1)])), ("health", health()))
    assert tile_of(read(browser_page, q="渐渐"), store.store_id) == "fine"
    with database(office) as session:
        session.execute(
            update(Store).where(Store.id == store.store_id).values(heard_at=now() - SILENT_AFTER - timedelta(minutes=1))
        )
    page = read(browser_page, q="渐渐")
    assert tile_of(page, store.store_id) == "silent"
    assert "超过一小时没有联系" in page
    tell(store, ("health", health()))
    assert tile_of(read(browser_page, q="渐渐"), store.store_id) == "fine"


def test_a_dismissed_incident_turns_the_tile_back(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("误报店")
    tell(store, ("inventory", inventory([place(1)])), ("incident", incident()))
    assert tile_of(read(browser_page, q="误报店"), store.store_id) == "incident"
    tell(store, ("incident", incident("dismissed")))
    assert tile_of(read(browser_page, q="误报店"), store.store_id) == "fine"


def test_a_store_that_was_never_scanned_is_not_called_fine(enrolled: Enrol, browser_page: httpx.Client) -> None:
    store = enrolled("未扫描店")
    tell(store, ("health", health(tier="none")))
    assert tile_of(read(browser_page, q="未扫描店"), store.store_id) == "unscanned"


def test_a_revoked_store_needs_nobody_any_more(
    enrolled: Enrol, browser_page: httpx.Client, office: OfficeProcess
) -> None:
    store = enrolled("已关张的店")
    tell(store, ("incident", incident()))
    with database(office) as session:
        session.execute(update(Store).where(Store.id == store.store_id).values(revoked_at=now()))
    assert store.store_id not in read(browser_page, q="已关张")
    assert "已注销" in read(browser_page, f"/stores/{store.store_id}")


def test_a_newer_heads_word_for_urgency_is_the_next_lower_one() -> None:
    assert [word_of(number) for number in (99, 60, 55, 20, 5, 0, -1)] == [
        "incident", "incident", "alert", "silent", "fine", "fine", "fine",
    ]  # fmt: skip


@pytest.mark.parametrize(("part", "whole", "said"), [(0, 0, None), (999, 1000, 99), (1000, 1000, 100), (0, 3, 0)])
def test_a_share_is_cut_not_rounded(part: int, whole: int, said: int | None) -> None:
    assert percent(part, whole) == said
