"""Logistics beside an incident: needs, the checklist on a phone, photos under seal, and an unbroken chain of hands."""

import hashlib
import json
import os
import re
import struct
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from shops import Clock
from sqlalchemy import select

from agent.incident.declare import declare, report
from agent.incident.records import KINDS, Declaration
from agent.incident.store import incidents
from agent.incident.wording import Wording
from agent.logistics import logistics_of, operations, photos
from agent.logistics.answers import read_answers
from agent.logistics.exif import kind_of, taken_at
from agent.logistics.lists import checklist
from agent.logistics.records import Handover
from agent.logistics.state import chains_of
from agent.messages.models import MessageRow
from agent.operation import Caller, Request
from agent.wiring import build_agent
from config.errors import RefusedError, UsageError
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import Text
from containment.evidence import verify_chain
from containment.keys import Unlocker
from containment.sealed import unseal

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
SETTINGS = {
    "store": {"name": "测试一店"},
    "people": [
        {"name": "王测试", "roles": ["store_manager"], "user": "manager", "email": "manager@example.com"},
        {"name": "李样例", "roles": ["logistics"], "user": "helper", "email": "helper@example.com", "contact": "分机"},
    ],
}  # fmt: skip
RECOVERY = make_identity("recovery")


@pytest.fixture(autouse=True)
def no_report(monkeypatch):
    """The report that a declaration writes is another room's, and takes a second each time."""
    monkeypatch.setattr("agent.incident.declare.write_documents", lambda *_given: 0)


@pytest.fixture
def scene(tmp_path):
    """An agent with one declared incident."""
    with opened(tmp_path) as (agent, clock):
        yield agent, clock, declare(agent, declaration("insider")).id


def declaration(kind="other"):
    return Declaration(kind=kind, summary="有人拷走名单", discovered_at=START, by="manager")


@contextmanager
def opened(folder, *, keys=True):
    home = find_home(folder / "home")
    home.create()
    clock = Clock(START)
    with build_agent(home, Settings.model_validate(SETTINGS), now=clock) as agent:
        if keys:
            agent.keyring.adopt(RECOVERY.public)
        yield agent, clock


def ask(agent, function, incident, descriptors=(), user="helper", **arguments):
    roles = frozenset(role for person in agent.settings.people if person.user == user for role in person.roles)
    caller = Caller(uid=1000, gid=1000, pid=1, user=user, roles=roles)
    return function(
        agent, Request(arguments={"id": incident, **arguments}, caller=caller, descriptors=tuple(descriptors))
    )


def jpeg(time=b"2026:11:26 09:30:00", offset=b"+08:00", order=">"):
    """A JPEG whose Exif says when it was taken (CIPA DC-008)."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    tiff = mark + struct.pack(order + "I", 8)
    tiff += struct.pack(order + "H", 1) + struct.pack(order + "HHII", 0x8769, 4, 1, 26) + struct.pack(order + "I", 0)
    tiff += struct.pack(order + "H", 2)
    tiff += struct.pack(order + "HHII", 0x9003, 2, 20, 56) + struct.pack(order + "HHII", 0x9011, 2, 7, 76)
    tiff += struct.pack(order + "I", 0) + time + b"\0" + offset + b"\0"
    segment = b"Exif\0\0" + tiff
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + b"\xff\xda" + b"13800001111" * 400


def put_photo(agent, incident, path, **more):
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return ask(agent, photos.photo, incident, (descriptor,), what="办公室屏幕", by="李样例", **more).document
    finally:
        os.close(descriptor)


def test_needs_go_from_asked_to_there_and_the_person_is_told(scene):
    agent, _clock, incident = scene
    ask(agent, operations.need, incident, what="封条", quantity=20)
    ask(agent, operations.need, incident, what="恢复用备用收银机", stage="recovery", where="一店")
    ask(agent, operations.assign, incident, need=2, to="李样例", due="10:30")
    state = logistics_of(agent, incident)
    assert [(need.what, need.state, need.assigned_to) for need in state.needs] == [
        ("封条", "needed", ""), ("恢复用备用收银机", "assigned", "李样例"),
    ]  # fmt: skip
    with agent.inventory.sessions() as session:
        assert any("后勤" in row.subject for row in session.scalars(select(MessageRow)))
    ask(agent, operations.done, incident, need=2)
    assert [need.number for need in logistics_of(agent, incident).open_needs] == [1]
    with pytest.raises(RefusedError, match="已到位"):
        ask(agent, operations.assign, incident, need=2, to="王测试")
    with pytest.raises(UsageError, match="没有编号"):
        ask(agent, operations.done, incident, need=9)


def test_logistics_begin_with_the_orders_and_custody_goes_on_after_the_end(tmp_path):
    with opened(tmp_path) as (agent, _clock):
        suspected = report(agent, declaration())
        with pytest.raises(RefusedError, match="疑似上报"):
            ask(agent, operations.need, suspected.id, what="封条")
        declared = declare(agent, declaration())
        ask(agent, operations.custody, declared.id, item="笔记本", serial="SN1", giver="甲", taker="乙")
        incidents(agent).change(declared.id, phase="closed")
        with pytest.raises(RefusedError):
            ask(agent, operations.need, declared.id, what="封条")
        returned = ask(agent, operations.custody, declared.id, item="笔记本", serial="SN1", giver="乙", taker="甲")
        assert returned.document["custody"][0]["holder"] == "甲"
        assert ask(agent, operations.show, suspected.id).document["needs"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_checklist_in_both_languages_with_codes_of_its_own(kind):
    lines = checklist(kind)
    codes = [line.code for line in lines]
    assert len(set(codes)) == len(codes) > 15
    assert all(line.text("zh-CN") and line.text("en") for line in lines)
    assert all(re.fullmatch(r"[A-Z]\d{1,2}", code) for code in codes)
    assert "关机" in lines[0].text("zh-CN")
    assert any(line.stage == "recovery" for line in lines)
    assert any(line.photo for line in lines)


class Page(HTMLParser):
    """What a browser would load or run, and what it would send."""

    def __init__(self):
        super().__init__()
        self.tags, self.fields, self.loads = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        given = dict(attrs)
        self.loads += [given[name] for name in ("src", "href", "action", "data", "srcset") if name in given]
        if tag == "input":
            self.fields.append((given["name"], given.get("value")))


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_sheet_is_one_page_that_loads_and_runs_nothing(scene, language):
    agent, _clock, incident = scene
    ask(agent, operations.need, incident, what='<script>alert("x")</script>')
    html = ask(agent, operations.sheet, incident, language=language).document["html"]
    page = Page()
    page.feed(html)
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert page.loads == []
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    codes = {line.code for line in checklist("insider")}
    assert {name for name, value in page.fields if value == "yes"} == codes
    assert len(html) < 100_000


def test_what_the_sheets_form_puts_into_its_address_is_read_back(scene):
    agent, _clock, incident = scene
    address = (
        "file:///storage/sheet.html?A1=yes&A1_at=08%3A55&A1_note=%E5%B7%B2%E8%B4%B4%E6%9D%A1&A2=no&A2_at=&A2_note="
        "&A3=&A3_at=&A3_note=&B1=na&B1_at=25%3A99&B1_note=&Z9=yes"
    )
    answer = ask(agent, operations.check, incident, text=address)
    checked = logistics_of(agent, incident).checked
    assert (answer.document["answered"], len(answer.document["refused"])) == (3, 1)
    assert {code: entry.reply for code, entry in checked.items()} == {"A1": "yes", "A2": "no", "B1": "na"}
    assert checked["A1"].note == "已贴条"
    again = ask(agent, operations.check, incident, text="sheet.html?A2=no&A2_at=&A2_note=&A4=yes")
    assert again.document["answered"] == 1  # A2 came with the sheet and was left as it was
    assert checked["A1"].at == datetime(2026, 11, 26, 0, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("A1 是 10:25 已贴条", ("A1", "yes", "10:25", "已贴条")),
        ("a2：否，店员还在", ("A2", "no", "", "店员还在")),
        ("☑ A3 √", ("A3", "yes", "", "")),
        ("- A10. done, 9:05", ("A10", "yes", "9:05", "")),
        ("B1=na", ("B1", "na", "", "")),
        ("Ａ１　是　１０：２５", ("A1", "yes", "10:25", "")),
        ("A1 也许", None), ("", None), ("你好", None), ("Z9 是", None),
    ],
)  # fmt: skip
def test_a_line_typed_by_hand_is_understood_or_refused(line, given):
    read = read_answers(line, frozenset({"A1", "A2", "A3", "A10", "B1"}))
    assert read.answers == ([given] if given else [])
    assert read.refused == ([1] if line and not given else [])


def test_an_answer_can_be_changed_and_both_stand_on_the_timeline(scene):
    agent, clock, incident = scene
    ask(agent, operations.check, incident, line="a4", reply="no", note="屏幕锁着，客人电话 13800001111")
    clock.now += timedelta(minutes=5)
    ask(agent, operations.check, incident, line="A4", reply="yes")
    state = logistics_of(agent, incident)
    assert state.checked["A4"].reply == "yes"
    acts = [step.act for step in incidents(agent).get(incident).steps if step.act.startswith("logistics.")]
    assert acts == ["logistics.check_no", "logistics.check_yes"]
    assert "13800001111" not in agent.timelines.path(incident).read_text()
    with pytest.raises(UsageError, match="Q7"):
        ask(agent, operations.check, incident, line="Q7")
    with pytest.raises(UsageError, match="future"):
        ask(agent, operations.check, incident, line="A1", at="2026-11-27T10:00")


def test_a_photo_is_sealed_as_it_came_and_its_digest_and_time_are_on_record(scene, tmp_path):
    agent, _clock, incident = scene
    file = tmp_path / "13800001111.jpg"
    file.write_bytes(jpeg())
    document = put_photo(agent, incident, file, line="A4")
    (kept,) = document["photos"]
    assert kept["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert kept["taken_at"] == "2026-11-26T09:30:00+08:00"
    sealed = agent.home.evidence / incident / kept["bundle"] / kept["file"]
    assert b"13800001111" not in sealed.read_bytes()
    descriptor, target = os.open(sealed, os.O_RDONLY | os.O_CLOEXEC), os.memfd_create("x", os.MFD_CLOEXEC)
    try:
        unseal(descriptor, target, Unlocker([RECOVERY]))
        assert os.pread(target, 1 << 20, 0) == file.read_bytes()
    finally:
        os.close(descriptor)
        os.close(target)
    states = verify_chain(agent.home.evidence / incident, agent.keyring.public_key)
    assert states
    assert all(state.intact for state in states)
    for path in agent.home.state.rglob("*"):
        assert not path.is_file() or b"13800001111.jpg" not in path.read_bytes()
    assert put_photo(agent, incident, file)["photos"][1]["number"] == 2


def test_what_is_no_photo_or_has_no_key_is_refused(tmp_path, scene):
    agent, _clock, incident = scene
    file = tmp_path / "a.jpg"
    file.write_bytes(b"MZ\x90 not a picture")
    with pytest.raises(UsageError, match="不是照片"):
        put_photo(agent, incident, file)
    file.write_bytes(jpeg())
    with pytest.raises(UsageError, match="Q1"):
        put_photo(agent, incident, file, line="Q1")
    (tmp_path / "keyless").mkdir()
    with opened(tmp_path / "keyless", keys=False) as (other, _):
        declared = declare(other, declaration())
        with pytest.raises(RefusedError, match="cloche keys init"):
            put_photo(other, declared.id, file)


@pytest.mark.parametrize("order", [">", "<"])
def test_the_cameras_time_is_read_in_both_byte_orders(order):
    assert taken_at(jpeg(order=order)) == "2026-11-26T09:30:00+08:00"
    assert kind_of(jpeg()) == "jpeg"


def test_exif_that_lies_about_its_places_gives_no_time():
    content = jpeg()
    for at in range(12, 110):
        broken = bytearray(content)
        broken[at] ^= 0xFF
        try:
            found = taken_at(bytes(broken))
        except (struct.error, ValueError, IndexError):
            continue
        assert re.fullmatch(r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d)?", found)
    assert taken_at(b"\xff\xd8\xff\xe0\x00\x10JFIF") == ""


def test_hands_follow_each_other_or_the_gap_is_explained(scene):
    agent, _clock, incident = scene
    item = {"item": "办公室笔记本", "serial": "SN-0001"}
    ask(agent, operations.custody, incident, **item, giver="王测试", taker="李样例", seal="F-1", condition="完好")
    with pytest.raises(RefusedError, match="李样例"):
        ask(agent, operations.custody, incident, **item, giver="张样例", taker="总部", seal="F-1")
    with pytest.raises(RefusedError, match="F-1"):
        ask(agent, operations.custody, incident, **item, giver="李样例", taker="总部", seal="F-2")
    with pytest.raises(RefusedError, match="早于"):
        ask(agent, operations.custody, incident, **item, giver="李样例", taker="总部", given_at="2026-11-25T10:00")
    ask(
        agent, operations.custody, incident, item="改个名字", serial="sn-0001", giver="李样例", taker="总部", seal="F-1"
    )
    ask(agent, operations.custody, incident, **item, giver="快递", taker="鉴定所", gap="总部交快递时未登记")
    (chain,) = logistics_of(agent, incident).chains
    assert [hand.taker for hand in chain.handovers] == ["李样例", "总部", "鉴定所"]
    assert chain.problems == ("gap_explained",)
    assert chain.holder == "鉴定所"


@pytest.mark.parametrize("serial", ["13800001111", "+86 138-0000-1111", "110101199003070011", "11010119900307001X"])
def test_a_number_of_a_person_is_no_serial_number(scene, serial):
    agent, _clock, incident = scene
    with pytest.raises(UsageError, match="序列号"):
        ask(agent, operations.custody, incident, item="手机", serial=serial, giver="甲", taker="乙")
    ask(agent, operations.custody, incident, item="手机", serial="356938035643809", giver="甲", taker="乙")  # an IMEI


def test_a_chain_with_holes_is_told_whoever_wrote_it():
    def hand(giver, taker, minutes=0, **more):
        at = START + timedelta(minutes=minutes)
        values = {"item": "盘", "serial": "", "where": "", "condition": "", "seal": "", "by": "x", "at": at}
        return Handover(**{**values, "giver": giver, "taker": taker, "given_at": at, **more})

    assert chains_of([hand("甲", "乙"), hand("丙", "丁", 5)])[0].problems == ("gap",)
    assert chains_of([hand("甲", "乙", 9), hand("乙", "丁", 5)])[0].problems == ("backwards",)
    assert chains_of([hand("甲", "乙", seal="1"), hand("乙", "丁", 5, seal="2")])[0].problems == ("seal_changed",)
    assert chains_of([hand("甲", "乙"), hand("乙", "甲", 5)])[0].problems == ()


def test_the_chain_stands_on_the_timeline_and_a_change_in_it_is_found(scene):
    agent, _clock, incident = scene
    ask(agent, operations.custody, incident, item="笔记本", giver="甲", taker="乙")
    ask(agent, operations.custody, incident, item="笔记本", giver="乙", taker="丙")
    agent.timelines.close()
    public = agent.keyring.public_key
    assert agent.timelines.verify(incident, public).ok
    path = agent.timelines.path(incident)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = [line.replace(json.dumps("丙").encode(), json.dumps("丁").encode()) for line in lines]
    assert changed != lines
    path.write_bytes(b"".join(changed))
    assert not agent.timelines.verify(incident, public).ok
    path.write_bytes(b"".join(lines))


def test_steps_are_said_in_both_languages(scene, tmp_path):
    agent, _clock, incident = scene
    ask(agent, operations.need, incident, what="封条")
    ask(agent, operations.assign, incident, need=1, to="王测试")
    ask(agent, operations.done, incident, need=1)
    for reply in ("yes", "no", "na"):
        ask(agent, operations.check, incident, line="A1", reply=reply)
    ask(agent, operations.custody, incident, item="笔记本", giver="甲", taker="乙")
    (tmp_path / "a.jpg").write_bytes(jpeg())
    put_photo(agent, incident, tmp_path / "a.jpg")
    from zoneinfo import ZoneInfo

    for language in ("zh-CN", "en"):
        wording = Wording(Text(language), ZoneInfo("Asia/Shanghai"))
        said = [
            wording.step(step) for step in incidents(agent).get(incident).steps if step.act.startswith("logistics.")
        ]
        assert len(said) == 8
        assert all("{" not in text for text in said)


def test_the_custody_form_shows_every_hand_and_room_for_the_next(scene, tmp_path):
    agent, _clock, incident = scene
    ask(agent, operations.custody, incident, item="笔记本", serial="SN-7", giver="甲测试", taker="乙样例", seal="F-9")
    written = ask(agent, operations.custody, incident, document=True).document["documents"]
    assert {Path(path).suffix for path in written} == {".html", ".docx", ".pdf"}
    page = next(Path(path) for path in written if path.endswith("zh-CN.html")).read_text(encoding="utf-8")
    assert all(word in page for word in ("SN-7", "甲测试", "乙样例", "F-9", "签字"))
    again = ask(agent, operations.custody, incident, document=True).document["documents"]
    assert not set(again) & set(written)


def test_who_has_no_role_does_nothing(scene):
    agent, _clock, incident = scene
    for function in (operations.show, operations.need, operations.check, operations.custody, operations.sheet):
        with pytest.raises(RefusedError, match="none of the roles"):
            ask(agent, function, incident, user="nobody", what="x")
