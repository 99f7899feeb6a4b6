"""Words, answers and missing fields given from head office: offered to whom they are asked of, confirmed, followed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from accounts_desk import Browser as Desk
from accounts_desk import database
from incident_reports import ID, answer, at, clock, come_in, incident, owed, send_form, taken
from sqlalchemy import select

from central.direct.orders import give_order
from central.direct.wording import in_words
from central.models import Person, Store
from central.people.directory import machine_viewer
from central.people.rights import Right, Viewer
from central.testing import OfficeProcess, SpeakingStore
from config.errors import RefusedError, UsageError
from config.text import Text

Enrol = Callable[[str], SpeakingStore]
FOUR_HOURS = "cn-incident-reporting/province-4h"
DIGEST, OTHER = "a1" * 32, "b2" * 32
ROLES = ["security_lead", "response_lead", "legal"]


def waiting(digest: str = DIGEST, act: str = "report", name: str = "final", **more: object) -> dict[str, object]:
    """An approval that waits."""
    return {
        "id": f"{name}:{ID}", "digest": digest, "act": act, "what": f"请批准（{name}，测试）", "needed": 1,
        "roles": ROLES, "asked_by": "测试店长", "asked_at": at(-1), "missing": "people", "given": [],
    } | more  # fmt: skip


@pytest.fixture(scope="module")
def lawyers_cookies(office: OfficeProcess) -> httpx.Cookies:
    with office.client() as http:
        come_in(office, http, "wordlaw", "legal@all")
        Desk(http=http, office=office).set_up()
        return http.cookies


@pytest.fixture
def lawyer(office: OfficeProcess, lawyers_cookies: httpx.Cookies) -> Iterator[httpx.Client]:
    with office.client() as http:
        http.cookies.update(lawyers_cookies)
        yield http


@pytest.fixture
def store(enrolled: Enrol) -> SpeakingStore:
    made = enrolled("本人批准店")
    assert made.report("incident", incident(approvals=[waiting()])).status_code == 200
    return made


def page_of(browser: httpx.Client, store: SpeakingStore, **query: str) -> str:
    shown = browser.get(f"/incidents/{store.store_id}/{ID}", params={"lang": "zh-CN"} | query)
    assert shown.status_code == 200, shown.text
    return shown.text


def part(page: str, name: str) -> str:
    return page.split(f'id="{name}"')[1].split("</section>", maxsplit=1)[0]


def do(store: SpeakingStore, act: str) -> str:
    return f"/incidents/{store.store_id}/{ID}/do/{act}"


def test_an_approval_is_given_where_it_is_shown_and_its_state_is_followed(
    store: SpeakingStore, lawyer: httpx.Client
) -> None:
    mine = part(page_of(lawyer, store), "mine")
    link = re.search(r'href="([^"]*/do/approve\?approval=[^"]*)">在这里批准', mine)
    assert link, mine
    form = lawyer.get(link[1])
    assert "请批准（final，测试）" in form.text
    assert DIGEST[:12] in form.text
    assert "销毁不能这样批准" in form.text
    sent = send_form(lawyer, do(store, "approve"), link[1], approval=f"final:{ID}#{DIGEST}")
    assert sent.status_code == 303, sent.text
    (order,) = taken(store)
    assert order["kind"] == "approve"
    assert order["params"] == {"incident": ID, "approval": f"final:{ID}", "digest": DIGEST}
    assert order["by"]["name"] == "测试wordlaw"
    answer(store, order, incident=ID, given=1, missing="")
    given = [{"person": "测试wordlaw", "how": "order", "at": at(0)}]
    store.report("incident", incident(approvals=[waiting(missing="", given=given)]))
    page = page_of(lawyer, store)
    assert "已执行" in part(page, "given")
    assert "测试wordlaw" in part(page, "approvals")
    assert "/do/approve" not in page


def test_it_is_said_in_english_too(store: SpeakingStore, lawyer: httpx.Client) -> None:
    assert "Approve here" in page_of(lawyer, store, lang="en")
    form = lawyer.get(do(store, "approve"), params={"lang": "en"}).text
    assert "counts once" in form
    assert "Fill in what is known" in lawyer.get(do(store, "fill"), params={"lang": "en"}).text
    assert "Your answer" in lawyer.get(do(store, "ack"), params={"lang": "en"}).text


def test_nothing_goes_out_without_a_confirmation(store: SpeakingStore, lawyer: httpx.Client) -> None:
    refused = send_form(lawyer, do(store, "approve"), approval=f"final:{ID}#{DIGEST}", confirmed="")
    assert refused.status_code == 422
    assert taken(store) == []


def test_whoever_has_not_just_proved_who_they_are_is_asked_to_before_their_word_goes_out(
    office: OfficeProcess, store: SpeakingStore
) -> None:
    with office.client() as http:
        other = come_in(office, http, "wordother", "legal@all")
        asked = send_form(other, do(store, "approve"), approval=f"final:{ID}#{DIGEST}")
        assert asked.status_code == 403
    assert taken(store) == []


def test_a_version_that_changed_meanwhile_or_that_nobody_asked_about_is_not_approved(
    store: SpeakingStore, lawyer: httpx.Client
) -> None:
    store.report("incident", incident(approvals=[waiting(OTHER)]))
    for chosen in (f"final:{ID}#{DIGEST}", f"notice:{ID}#{OTHER}", f"final:{ID}", "x"):
        late = send_form(lawyer, do(store, "approve"), approval=chosen)
        assert late.status_code == 422
        assert "刚刚变了" in late.text
    assert taken(store) == []


def test_what_destroys_is_not_offered_and_a_forged_form_is_refused(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("销毁批准店")
    purge = waiting(act="purge", name="purge.p1")
    store.report("incident", incident(approvals=[purge, waiting(act="originals", name="originals.p1")]))
    page = page_of(lawyer, store)
    assert "/do/approve" not in page
    assert "签名人签名" in part(page, "mine")
    store.report("incident", incident(approvals=[purge, waiting()]))
    refused = send_form(lawyer, do(store, "approve"), approval=f"purge.p1:{ID}#{DIGEST}")
    assert refused.status_code == 422
    assert taken(store) == []


def test_whose_role_may_not_approve_is_not_asked(
    office: OfficeProcess, store: SpeakingStore, lawyer: httpx.Client
) -> None:
    with office.client() as http:
        member = come_in(office, http, "wordmember", "security_member@all")
        page = page_of(member, store)
        assert not re.search("/do/(approve|fill|ack)", page)
        assert member.get(do(store, "approve")).status_code == 403
    store.report("incident", incident(approvals=[waiting(roles=["store_manager"])]))
    assert "/do/approve" not in page_of(lawyer, store)


def test_missing_fields_are_filled_in_from_the_lawyers_page(enrolled: Enrol, lawyer: httpx.Client) -> None:
    store = enrolled("补充内容店")
    gaps = [{"field": name, "text": "门店的说法"} for name in ("cause", "contact", "trend", "of_a_later_version")]
    clocks = [clock(FOUR_HOURS, deadline=at(1), entities=[owed(missing=gaps)])]
    store.report("incident", incident(clocks=clocks))
    rows = lawyer.get("/law", params={"lang": "zh-CN"}).text
    link = f"{do(store, 'fill')}?duty=cn-incident-reporting"
    assert link in rows
    form = lawyer.get(do(store, "fill"), params={"duty": FOUR_HOURS}).text
    assert re.findall(r'name="field_(\w+)"', form) == ["cause", "trend"]
    assert "只能在门店设置里填" in form
    assert send_form(lawyer, do(store, "fill"), duty=FOUR_HOURS, field_cause=" ").status_code == 422
    assert send_form(lawyer, do(store, "fill"), duty=FOUR_HOURS, field_cause="长" * 2001).status_code == 422
    sent = send_form(
        lawyer, do(store, "fill"), duty=FOUR_HOURS, field_cause="员工误发（测试）", field_trend="", field_contact="x"
    )
    assert sent.status_code == 303, sent.text
    (order,) = taken(store)
    assert order["kind"] == "fill"
    assert order["params"] == {"incident": ID, "fields": {"cause": "员工误发（测试）"}, "duty": FOUR_HOURS}


def test_an_order_inside_the_incident_is_answered(store: SpeakingStore, lawyer: httpx.Client) -> None:
    mine = part(page_of(lawyer, store), "mine")
    assert f"/do/ack?order={ID}/1" in mine
    form = lawyer.get(do(store, "ack"), params={"order": f"{ID}/2"}).text
    assert re.findall(r'<option value="([^"]*)"', form)[:2] == [f"{ID}/1", f"{ID}/2"], "one's own come first"
    assert f'<option value="{ID}/2" selected' in form
    assert send_form(lawyer, do(store, "ack"), order=f"{ID}/9", answer="taken").status_code == 422
    sent = send_form(lawyer, do(store, "ack"), order=f"{ID}/1", answer="done", note="已核对（测试）")
    assert sent.status_code == 303, sent.text
    (order,) = taken(store)
    assert order["params"] == {"incident": ID, "order": f"{ID}/1", "done": True, "note": "已核对（测试）"}


def test_neither_a_program_nor_a_machine_nor_a_borrowed_name_gives_anybodys_word(
    office: OfficeProcess, store: SpeakingStore
) -> None:
    params = {"incident": ID, "approval": f"final:{ID}", "digest": DIGEST}
    with database(office) as session:
        row = session.get_one(Store, store.store_id)
        person = session.scalars(select(Person).where(Person.name == "测试wordlaw")).one()
        rights = (Right(role="legal", scope="all"),)
        for viewer in (
            Viewer(person_id=person.id, name=person.name, rights=rights, token_id="t-1"),
            Viewer(person_id=person.id, name="测试别人", rights=rights),
            machine_viewer(),
        ):
            with pytest.raises(UsageError, match="in person"):
                give_order(session, viewer, "approve", [row], params, reason="测试", lasts=timedelta(hours=1))
        own = Viewer(person_id=person.id, name=person.name, rights=rights)
        with pytest.raises(UsageError, match="one store"):
            give_order(session, own, "approve", "all", params, reason="测试")
        without = Viewer(person_id=person.id, name=person.name)
        with pytest.raises(RefusedError):
            give_order(session, without, "approve", [row], params, reason="测试")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        office.call("order", "give", "approve", "--store", store.store_id, "--reason", "x", "--as", "wordlaw")
    assert "in person" in failed.value.stderr


def test_such_an_order_reads_in_words(store: SpeakingStore, lawyer: httpx.Client) -> None:
    send_form(lawyer, do(store, "fill"), field_cause="员工误发（测试）")
    (order,) = taken(store)
    words = list(in_words(Text("zh-CN"), json.dumps({key: value for key, value in order.items() if key != "number"})))
    assert ("原因", "员工误发（测试）") in words
    assert not any("{" in said for _label, said in words)
