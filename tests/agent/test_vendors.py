"""Vendors: who gets what on whose word, whose copy leaked, what came back, and who was let in."""

import csv
import io
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from agent.audit import verify
from agent.cli import cloche
from agent.incident.store import incidents
from agent.inventory.records import Alert
from agent.messages.models import MessageRow
from agent.operation import Caller, Request
from agent.vendors import ending, operations, searching, sharing, tracing, windows
from agent.vendors.duties import look_after
from agent.vendors.ending import open_shares
from agent.vendors.opening import Book, make_key, read_key, read_public, unpack
from agent.vendors.segment import read_segment
from agent.vendors.store import vendors
from agent.vendors.windows import allowed_now
from agent.wiring import build_agent
from config.errors import ClocheError, CorruptError, RefusedError, UsageError
from config.home import find_home
from config.identity import encode_public, key_id, make_identity
from config.schema import Settings
from config.text import Text
from containment.keys import Unlocker

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
PHONES = [f"1390000{n:04d}" for n in range(1, 13)]
SETTINGS = {
    "store": {"name": "测试一店"},
    "scan": {"names": False},
    "vendors": {
        "canary_phones": PHONES, "canary_emails": ["*@chain.example"], "canary_names": ["甄测试", "贾样例"],
        "canaries": 4,
    },
    "people": [
        {"name": "王测试", "roles": ["store_manager"], "user": "manager", "email": "manager@example.com"},
        {"name": "李样例", "roles": ["tech_support"], "user": "tech"},
    ],
}  # fmt: skip
VENDOR = make_identity("vendor")
RECOVERY = make_identity("recovery")


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def turn(self, **much):
        self.now += timedelta(**much)


@contextmanager
def opened(folder, settings=SETTINGS):
    home = find_home(folder / "home")
    home.create()
    clock = Clock()
    with build_agent(home, Settings.model_validate(settings), now=clock) as agent:
        agent.keyring.adopt(RECOVERY.public)
        yield agent, clock


def ask(agent, function, arguments, descriptors=(), user="manager", *, is_owner=False):
    roles = frozenset(role for person in agent.settings.people if person.user == user for role in person.roles)
    caller = Caller(uid=1000, gid=1000, pid=1, user=user, roles=roles, is_owner=is_owner)
    return function(agent, Request(arguments=arguments, caller=caller, descriptors=tuple(descriptors)))


@contextmanager
def descriptors(*files):
    found = [os.open(file, os.O_RDONLY | os.O_CLOEXEC) for file in files]
    try:
        yield found
    finally:
        for descriptor in found:
            os.close(descriptor)


def members(count=120, start=0, encoding="gb18030"):
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["会员号", "姓名", "手机号", "邮箱", "备注"])
    for n in range(start, start + count):
        writer.writerow([f"M{n:06d}", "王测试", f"138{n:08d}", f"t{n}@example.com", "测试数据"])
    return target.getvalue().encode(encoding)


def register(agent, name="测试快印", key=VENDOR, begins="2026-01-01", ends="2026-12-31"):
    ask(agent, operations.add, {"name": name, "public_key": encode_public(key.public)})
    ask(
        agent, operations.contract,
        {"vendor": name, "number": "HT-1", "begins": begins, "ends": ends, "report_hours": 24, "audit_right": True},
    )  # fmt: skip
    return vendors(agent).get(name)


@pytest.fixture(autouse=True)
def without_forms(request, monkeypatch):
    """Eighteen documents a share are made once, by `shared`; the other tests are not about them."""
    if "shared" not in request.fixturenames:
        monkeypatch.setattr(sharing.forms, "write_forms", lambda *_given: [])


def share(agent, folder, *files, vendor="测试快印", user="manager", **more):
    package = folder / f"{vendor}-{len(vendors(agent).shares())}.clochepkg"
    target = os.open(package, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with descriptors(*files) as sources:
            arguments = {"vendor": vendor, "purpose": "寄送会员卡", "names": [file.name for file in files], **more}
            answer = ask(agent, sharing.share, arguments, (target, *sources), user)
    finally:
        os.close(target)
    return package, answer.document


def unpacked(package, folder, now=START, key=VENDOR, **more):
    book = Book(folder / "opened.json")
    with descriptors(package) as (descriptor,):
        return unpack(descriptor, key, folder / package.stem, book, now, text=Text("en"), **more)


def trace(agent, file, key_file=None, **more):
    with descriptors(file, *([key_file] if key_file else [])) as found:
        return ask(agent, tracing.trace, {"name": file.name, **more}, found).document


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One list shared with two vendors, each with a package of its own; the copies as the vendors got them."""
    folder = tmp_path_factory.mktemp("shared")
    source = folder / "会员.csv"
    source.write_bytes(members())
    with opened(folder) as (agent, _clock):
        register(agent)
        other = make_identity("vendor")
        register(agent, "样例外卖", other)
        first, document = share(agent, folder, source)
        second, _ = share(agent, folder, source, vendor="样例外卖")
        mine = unpacked(first, folder).files[0]
        theirs = unpacked(second, folder, key=other).files[0]
        key_file = folder / "recovery.key"
        key_file.write_text(RECOVERY.sheet())
        yield agent, folder, (first, document), (mine, theirs), key_file


def test_a_shared_list_stays_gb18030_and_is_the_original_but_for_its_canaries(shared):
    _agent, folder, (_package, document), (mine, _theirs), _key = shared
    text = mine.read_bytes().decode("gb18030")
    original = (folder / "会员.csv").read_bytes().decode("gb18030")
    kept = [line for line in text.split("\r\n") if not any(phone in line for phone in PHONES)]
    assert "\r\n".join(kept) == original
    assert document["canaries"] == 4
    assert document["files"][0]["encoding"] == "gb18030"
    assert document["persons"] == 120  # canaries are no persons


def test_canaries_are_the_chains_own_and_never_in_two_packages(shared):
    agent = shared[0]
    store = vendors(agent)
    plantings = store.plantings()
    assert len(plantings) == 8
    assert {planting.phone for planting in plantings} <= set(PHONES)
    assert all(planting.email.endswith("@chain.example") for planting in plantings)
    assert len({p.phone for p in plantings}) == len({p.email for p in plantings}) == 8
    by_share = [{p.phone for p in store.plantings(share.id)} for share in store.shares()]
    assert not by_share[0] & by_share[1]


@pytest.mark.parametrize("whose", [0, 1])
def test_a_whole_leak_names_the_vendor_whose_copy_it_is(shared, whose):
    agent, copies = shared[0], shared[3]
    found = trace(agent, copies[whose])["found"]
    assert [entry["vendor_name"] for entry in found] == [("测试快印", "样例外卖")[whose]]
    assert found[0]["canaries_found"] == found[0]["canaries"] == 4
    assert found[0]["confidence"] == tracing.SEVERAL


def test_a_part_shuffled_and_reformatted_still_names_it(shared, tmp_path):
    agent, mine = shared[0], shared[3][0]
    rows = list(csv.reader(io.StringIO(mine.read_bytes().decode("gb18030"))))[1:]
    chance = random.Random(5)
    chance.shuffle(rows)
    full = str.maketrans("0123456789", "０１２３４５６７８９")
    lines = []
    for number, row in enumerate(rows):
        phone = re.sub(r"(\d{3})(\d{4})(\d{4})", (r"+86 \1-\2-\3", r"\1 \2 \3", r"(\1)\2.\3")[number % 3], row[2])
        lines.append(f"{row[1]}：{phone.translate(full) if number % 2 else phone}")
    leaked = tmp_path / "聊天记录.txt"
    leaked.write_text("\n".join(lines[:90]), encoding="utf-16")
    expected = sum(any(phone in re.sub(r"\D", "", line.translate(str.maketrans("０１２３４５６７８９", "0123456789")))
                       for phone in PHONES) for line in lines[:90])  # fmt: skip
    found = trace(agent, leaked)["found"]
    assert found[0]["vendor_name"] == "测试快印"
    assert found[0]["canaries_found"] == expected
    assert 1 <= expected <= 4


def test_each_half_of_the_list_holds_canaries(shared, tmp_path):
    agent, mine = shared[0], shared[3][0]
    lines = mine.read_bytes().split(b"\r\n")
    for number, half in enumerate((lines[:63], lines[63:])):
        leaked = tmp_path / f"half{number}.csv"
        leaked.write_bytes(b"\r\n".join(half))
        found = trace(agent, leaked)["found"]
        assert found[0]["vendor_name"] == "测试快印"
        assert found[0]["part"] == 0.5


def test_a_leak_within_archives_and_databases_is_traced(shared, tmp_path):
    agent, copies = shared[0], shared[3]
    database = sqlite3.connect(tmp_path / "a.db")
    database.execute("CREATE TABLE t (tel TEXT)")
    for row in csv.reader(io.StringIO(copies[1].read_bytes().decode("gb18030"))):
        database.execute("INSERT INTO t VALUES (?)", (row[2],))
    database.commit()
    database.close()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.write(tmp_path / "a.db", "a.db")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("data/inner.zip", inner.getvalue())
    assert trace(agent, tmp_path / "outer.zip")["found"][0]["vendor_name"] == "样例外卖"


def test_one_canary_alone_is_less_sure(shared, tmp_path):
    agent, mine = shared[0], shared[3][0]
    text = mine.read_bytes().decode("gb18030")
    line = next(line for line in text.split("\r\n") if any(phone in line for phone in PHONES))
    leaked = tmp_path / "one.txt"
    leaked.write_text(f"有人在卖：{line}")
    found = trace(agent, leaked)["found"]
    assert found[0]["confidence"] == tracing.ONE
    assert found[0]["canaries_found"] == 1


def test_without_a_canary_the_persons_are_compared_where_the_key_opens_the_segments(shared, tmp_path):
    agent, key_file = shared[0], shared[4]
    leaked = tmp_path / "leak.csv"
    leaked.write_bytes(members(60, 30, "utf-8"))
    without = trace(agent, leaked)
    assert (without["found"], without["overlaps"], without["compared"]) == ([], [], 0)
    compared = trace(agent, leaked, key_file)
    assert compared["compared"] == 2
    assert {entry["vendor_name"]: entry["common"] for entry in compared["overlaps"]} == {"测试快印": 60, "样例外卖": 60}
    assert compared["overlaps"][0]["of_file"] == 1.0
    stranger = tmp_path / "stranger.csv"
    stranger.write_bytes(members(60, 5000))
    assert trace(agent, stranger, key_file)["overlaps"] == []


def test_the_wrong_key_compares_nothing_and_says_so(shared, tmp_path):
    agent = shared[0]
    other = tmp_path / "other.key"
    other.write_text(make_identity("recovery").sheet())
    leaked = tmp_path / "leak.csv"
    leaked.write_bytes(members(10))
    with pytest.raises(RefusedError, match="sealed to key"):
        trace(agent, leaked, other)


def test_fingerprints_lie_in_sealed_segments_only(shared):
    agent = shared[0]
    made = vendors(agent).shares()[0]
    keys = read_segment(agent, made.segment, Unlocker([RECOVERY]))
    assert len(keys) == 120
    one = next(iter(keys)).to_bytes(8, "big")
    for path in agent.home.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert one not in content
            assert str(int.from_bytes(one, "big")).encode() not in content


def test_a_trace_starts_a_report_that_names_the_vendor(shared):
    agent, copies = shared[0], shared[3]
    document = trace(agent, copies[0], report=True)
    incident = incidents(agent).get(document["incident"])
    assert incident.kind == "vendor"
    assert "测试快印" in incident.summary
    assert "PHONE_NUMBER" in incident.types
    shown = ask(agent, operations.show, {"vendor": "测试快印"}).document
    assert document["incident"] in {found["incident"] for found in shown["traces"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bomb.zip", b"PK\x03\x04" + b"\xff" * 4000), ("a.xlsx", b"PK\x03\x04broken"),
        ("a.pdf", b"%PDF-1.7\n" + b"<<" * 9999),
        ("a.json", b"[" * 100_000), ("a.csv", b'"' * 99_999), ("a.bin", os.urandom(5000)), ("a.txt", b""),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 400),
    ],
)  # fmt: skip
def test_a_hostile_file_is_survived_and_what_was_not_read_is_said(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    canaries = [{"id": "c", "phone": PHONES[0], "email": ""}]
    with descriptors(file) as found:
        answer = searching.work({"name": name, "canaries": canaries}, found)
    assert answer["hits"] == {}
    assert name in ("a.txt", "a.csv", "a.json", "a.bin") or answer["unread"]


def test_a_trace_of_what_cannot_be_read_says_so_and_is_not_complete(shared, tmp_path):
    agent = shared[0]
    file = tmp_path / "a.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(400))
    with descriptors(file) as found:
        answer = ask(agent, tracing.trace, {"name": "a.png"}, found)
    assert answer.exit_code == 3
    assert answer.document["unread"]


def test_a_pipe_is_no_file_to_trace(shared, tmp_path):
    agent = shared[0]
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with pytest.raises(UsageError, match="regular"):
            ask(agent, tracing.trace, {"name": "pipe"}, (descriptor,))
    finally:
        os.close(descriptor)


def test_a_package_opens_once_and_a_second_time_only_when_asked(shared, tmp_path):
    package = shared[2][0]
    first = unpacked(package, tmp_path)
    assert first.times == 1
    for file in first.files:
        file.unlink()
    with pytest.raises(RefusedError, match="was opened on this computer"):
        unpacked(package, tmp_path)
    assert unpacked(package, tmp_path, again=True).times == 2


def test_a_package_does_not_open_after_its_expiry_nor_before_it_was_made(shared, tmp_path):
    package = shared[2][0]
    with pytest.raises(RefusedError, match="expired"):
        unpacked(package, tmp_path, now=START + timedelta(days=30))
    with pytest.raises(RefusedError, match="clock"):
        unpacked(package, tmp_path, now=START - timedelta(days=5))
    assert not list(tmp_path.rglob("*.csv"))


def test_another_key_opens_nothing_and_a_tampered_package_leaves_nothing(shared, tmp_path):
    package = shared[2][0]
    with pytest.raises(RefusedError, match=VENDOR.id):
        unpacked(package, tmp_path, key=make_identity("vendor"))
    content = bytearray(package.read_bytes())
    content[-40] ^= 1
    changed = tmp_path / "changed.clochepkg"
    changed.write_bytes(content)
    with pytest.raises(CorruptError):
        unpacked(changed, tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["changed.clochepkg"]


def test_a_store_that_signs_with_another_key_is_noticed(shared, tmp_path):
    package = shared[2][0]
    signer = unpacked(package, tmp_path).signer
    assert signer == key_id(shared[0].keyring.public_key)
    with opened(tmp_path) as (agent, _clock):
        register(agent)
        source = tmp_path / "会员.csv"
        source.write_bytes(members(20))
        other, _ = share(agent, tmp_path, source)
    with pytest.raises(RefusedError, match="before and with"):
        unpacked(other, tmp_path)
    with pytest.raises(RefusedError, match="not by"):
        unpacked(other, tmp_path, signer=signer)


def test_the_receipt_code_proves_that_it_was_opened(shared, tmp_path):
    agent, _folder, (package, document), *_ = shared
    code = unpacked(package, tmp_path).receipt
    with pytest.raises(RefusedError, match="签收码"):
        ask(agent, ending.receive, {"package": document["id"], "code": "00000-00000"})
    assert ask(agent, ending.receive, {"package": document["id"], "code": code}).document["received_at"]


def test_forms_are_written_in_both_languages_and_show_no_customer(shared):
    document = shared[2][1]
    names = sorted(Path(path).name for path in document["documents"])
    assert len(names) == 18
    for path in document["documents"]:
        if path.endswith(".html"):
            text = Path(path).read_text(encoding="utf-8")
            assert "M000001" not in text
            assert "t1@example.com" not in text
            assert not any(phone in text for phone in PHONES)
    record = next(path for path in document["documents"] if "委托处理记录" in path and path.endswith("en.html"))
    assert "within 24 hours" in Path(record).read_text(encoding="utf-8")


def test_what_was_done_is_on_record_and_holds_no_value(shared):
    agent = shared[0]
    agent.audit.close()
    assert verify(agent.home.audit_log, agent.keyring.public_key).ok
    text = agent.home.audit_log.read_text(encoding="utf-8")
    for act in ("vendor.add", "vendor.contract", "vendor.share", "vendor.trace"):
        assert f'"{act}"' in text
    assert not any(phone in text for phone in PHONES)
    assert "138000000" not in text


def test_canaries_are_nobody_for_notices_and_scans(shared):
    agent = shared[0]
    from agent.notice.never import never_of

    never = never_of(agent)
    assert all(never.covers("PHONE_NUMBER", planting.phone) for planting in vendors(agent).plantings())


def test_nothing_is_shared_without_a_contract_in_force(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    with opened(tmp_path) as (agent, _clock):
        register(agent, ends="2026-11-25")
        with pytest.raises(RefusedError, match="合同"):
            share(agent, tmp_path, source)
        assert vendors(agent).shares() == []


def test_nothing_is_shared_without_the_vendors_key_or_a_recovery_key(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings.model_validate(SETTINGS), now=Clock()) as agent:
        ask(agent, operations.add, {"name": "测试快印"})
        with pytest.raises(RefusedError, match="公钥"):
            share(agent, tmp_path, source)
        ask(agent, operations.change, {"vendor": "测试快印", "public_key": encode_public(VENDOR.public)})
        ask(agent, operations.contract, {"vendor": "V001", "number": "1", "begins": "2026-01-01", "ends": "2027-01-01"})
        (tmp_path / "测试快印-0.clochepkg").unlink()
        with pytest.raises(RefusedError, match="cloche keys init"):
            share(agent, tmp_path, source)


def test_an_empty_pool_refuses_and_a_reason_goes_on_record(tmp_path):
    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    settings = {**SETTINGS, "vendors": {**SETTINGS["vendors"], "canary_phones": PHONES[:5]}}
    with opened(tmp_path, settings) as (agent, _clock):
        register(agent)
        share(agent, tmp_path, source)
        with pytest.raises(RefusedError, match="还剩 1 个"):
            share(agent, tmp_path, source)
        for package in tmp_path.glob("*-1.clochepkg"):
            package.unlink()
        _, document = share(agent, tmp_path, source, without_canaries="对方系统只收原文件")
        assert (document["canaries"], document["without_canaries"]) == (0, "对方系统只收原文件")
        assert document["files"][0]["why"] == "said"
        acts = [json.loads(line) for line in agent.home.audit_log.read_text().splitlines()]
        assert acts[-1]["details"]["without_canaries"] == "对方系统只收原文件"
    unset = {**SETTINGS, "vendors": {}}
    (tmp_path / "unset").mkdir()
    with opened(tmp_path / "unset", unset) as (agent, _clock):
        register(agent)
        with pytest.raises(RefusedError, match="canary_phones"):
            share(agent, tmp_path / "unset", source)


def test_whoever_may_not_approve_waits_for_the_word_of_one_who_may(tmp_path):
    from agent.approvals import approve, waiting

    source = tmp_path / "a.csv"
    source.write_bytes(members(9))
    with opened(tmp_path) as (agent, _clock):
        register(agent)
        with pytest.raises(RefusedError, match="王测试"):
            share(agent, tmp_path, source, user="tech")
        assert vendors(agent).shares() == []
        (wanted,) = waiting(agent)
        assert "测试快印" in wanted.about
        approve(agent, wanted.subject, agent.people.named("王测试"), "account")
        for package in tmp_path.glob("*.clochepkg"):
            package.unlink()
        _, document = share(agent, tmp_path, source, user="tech")
        assert document["approved_by"] == "王测试"
        with pytest.raises(RefusedError):
            share(agent, tmp_path, source, user="tech")  # a word counts for one package


def test_files_that_hold_no_canary_are_named_and_alone_are_refused(tmp_path):
    source, note = tmp_path / "会员.csv", tmp_path / "说明.txt"
    source.write_bytes(members(9))
    note.write_text("请于周五前寄出。")
    with opened(tmp_path) as (agent, _clock):
        register(agent)
        with pytest.raises(RefusedError, match="不是表格"):
            share(agent, tmp_path, note)
        assert vendors(agent).plantings() == []
        for package in tmp_path.glob("*.clochepkg"):
            package.unlink()
        _, document = share(agent, tmp_path, source, note)
        assert [file["why"] for file in document["files"]] == ["", "format"]


def test_a_file_name_with_a_customer_in_it_is_masked_in_all_that_is_kept(tmp_path):
    source = tmp_path / "13800001111.csv"
    source.write_bytes(members(9))
    with opened(tmp_path) as (agent, _clock):
        register(agent)
        package, document = share(agent, tmp_path, source)
        assert "13800001111" not in json.dumps(document, ensure_ascii=False)
        for path in agent.home.state.rglob("*"):
            assert not path.is_file() or b"13800001111" not in path.read_bytes()
    assert [file.name for file in unpacked(package, tmp_path).files] == ["13800001111.csv"]


def test_what_is_out_too_long_is_told_and_ends_with_evidence(tmp_path):
    source, certificate = tmp_path / "a.csv", tmp_path / "销毁证明.pdf"
    source.write_bytes(members(9))
    certificate.write_bytes(b"%PDF-1.4 stamped")
    with opened(tmp_path) as (agent, clock):
        register(agent, ends="2027-12-31")
        _, document = share(agent, tmp_path, source, days=3)
        look_after(agent, clock.now)
        assert not told(agent)
        clock.turn(days=4)
        assert open_shares(agent)[0].overdue
        look_after(agent, clock.now)
        once = told(agent)
        assert once
        assert all(document["id"] in subject for subject in once)
        for _ in range(3):
            clock.turn(minutes=1)
            look_after(agent, clock.now)
        assert told(agent) == once
        clock.turn(days=8)
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


def test_a_vendor_is_let_in_for_minutes_and_goes_by_itself(tmp_path):
    with opened(tmp_path) as (agent, clock):
        register(agent)
        asked = {"vendor": "测试快印", "minutes": 30, "who": "赵虚构", "tool": "ToDesk", "reason": "打印机故障"}
        with pytest.raises(RefusedError, match="王测试"):
            ask(agent, windows.let_in, asked, user="tech")
        assert allowed_now(agent) == ()
        opened_ = ask(agent, windows.let_in, asked).document
        assert opened_["approved_by"] == "王测试"
        assert [window.vendor for window in allowed_now(agent, tool="todesk")] == ["V001"]
        assert allowed_now(agent, tool="frpc") == ()
        assert allowed_now(agent, tool="desk") == ()
        with pytest.raises(RefusedError, match="已经在系统里"):
            ask(agent, windows.let_in, asked)
        clock.turn(minutes=10)
        agent.inventory.add_alert(Alert(at=clock.now, kind="bound", severity="high", text="大量读取"))
        clock.turn(minutes=20)
        assert allowed_now(agent) == ()
        clock.turn(minutes=3)
        look_after(agent, clock.now)
        look_after(agent, clock.now)
        (window,) = ask(agent, operations.show, {"vendor": "V001"}).document["windows"]
        assert window["ended_at"] == (START + timedelta(minutes=30)).isoformat()
        assert [alert["kind"] for alert in window["alerts"]] == ["bound"]
        assert agent.home.audit_log.read_text().count('"vendor.let_out"') == 1


def test_the_security_check_lets_a_tool_run_while_its_vendor_is_in(tmp_path):
    from agent.security_check.checking import look
    from agent.security_check.machine import Machine

    program = tmp_path / "machine/opt/todesk"
    program.mkdir(parents=True)
    with opened(tmp_path) as (agent, clock):
        register(agent)

        def verdict():
            found, _unseen, _baseline = look(agent, Machine(root=tmp_path / "machine"), "manager")
            return [(finding.what, finding.severity) for finding in found if finding.values.get("id") == "todesk"]

        assert verdict() == [("present", "warning")]
        asked = {"vendor": "V001", "minutes": 10, "who": "赵虚构", "tool": "ToDesk 4.7", "reason": "打印机故障"}
        ask(agent, windows.let_in, asked)
        assert verdict() == [("allowed", "notice")]
        clock.turn(minutes=11)
        assert verdict() == [("present", "warning")]


def test_a_vendor_can_be_let_out_before_its_time(tmp_path):
    with opened(tmp_path) as (agent, clock):
        register(agent)
        asked = {"vendor": "V001", "who": "赵虚构", "tool": "现场", "reason": "换路由器"}
        ask(agent, windows.let_in, asked)
        clock.turn(minutes=5)
        ended = ask(agent, windows.let_out, {"vendor": "V001"}).document
        assert ended["ended_by"] == "manager"
        assert allowed_now(agent) == ()
        with pytest.raises(UsageError):
            ask(agent, windows.let_out, {"vendor": "V001"})
        with pytest.raises(UsageError, match="minutes"):
            ask(agent, windows.let_in, {**asked, "minutes": 100_000})


def test_a_list_of_vendors_is_imported_and_bad_rows_are_named(tmp_path):
    listed = tmp_path / "服务商.csv"
    listed.write_bytes(
        "服务商名称,服务内容,联系人,电话,合同编号,合同起,合同止,报告时限,审计权\n"
        "测试快印,印刷,王测试,021-5555,HT-9,2026/1/1,2026年12月31日,24,是\n"
        "样例外卖,配送,,,,,,,\n"
        ",没有名字,,,,,,,\n"
        "坏日期公司,x,,,HT-2,2026-02-31,2026-12-31,,\n".encode("gb18030")
    )
    with opened(tmp_path) as (agent, _clock):
        with descriptors(listed) as found:
            answer = ask(agent, operations.import_list, {"name": listed.name}, found)
        assert answer.exit_code == 3
        assert [refused["row"] for refused in answer.document["refused"]] == [3, 4]
        known = {vendor.name: vendor for vendor in vendors(agent).all()}
        assert set(known) == {"测试快印", "样例外卖"}
        (contract,) = known["测试快印"].contracts
        assert (contract.begins, contract.ends, contract.report_hours, contract.audit_right) == (
            "2026-01-01", "2026-12-31", 24, True,
        )  # fmt: skip
        with descriptors(listed) as found:
            assert ask(agent, operations.import_list, {"name": listed.name}, found).document["added"] == []


def test_roles_decide_who_may_what(tmp_path):
    with opened(tmp_path) as (agent, _clock):
        for function, arguments in (
            (operations.add, {"name": "x"}), (ending.end, {}), (tracing.trace, {}), (windows.let_in, {}),
            (sharing.share, {}), (operations.list_vendors, {}),
        ):  # fmt: skip
            with pytest.raises(RefusedError, match="none of the roles"):
                ask(agent, function, arguments, user="nobody")


def test_settings_of_canaries_are_checked(tmp_path):
    with pytest.raises(ValueError, match="entry 2 is no telephone number"):
        Settings.model_validate({"vendors": {"canary_phones": ["13900000001", "abc"]}})
    with pytest.raises(ValueError, match="entry 2 stands there twice"):
        Settings.model_validate({"vendors": {"canary_phones": ["139 0000 0001", "139-00000001"]}})
    with pytest.raises(ValueError, match="no mailbox"):
        Settings.model_validate({"vendors": {"canary_emails": ["chain.example"]}})


def test_a_vendors_key_is_made_once_and_its_public_file_is_read_back(tmp_path):
    identity, public = make_key(tmp_path / "v.key")
    assert (tmp_path / "v.key").stat().st_mode & 0o777 == 0o600
    assert read_key(tmp_path / "v.key") == identity
    assert read_public(public.read_text(), "x") == encode_public(identity.public)
    with pytest.raises(RefusedError, match="already"):
        make_key(tmp_path / "v.key")
    with pytest.raises(UsageError, match="id line"):
        read_public(public.read_text().replace(identity.id, "0" * 16), "x")
    (tmp_path / "r.key").write_text(RECOVERY.sheet())
    with pytest.raises(UsageError, match="recovery key"):
        read_key(tmp_path / "r.key")


def test_the_vendors_commands_need_nothing_but_the_key(shared, tmp_path):
    package = shared[2][0]
    (tmp_path / "v.key").write_text(VENDOR.sheet())
    environment = {"CLOCHE_HOME": str(tmp_path / "vendor")}
    runner = CliRunner()
    arguments = [
        "vendor",
        "open",
        str(package),
        "--key-file",
        str(tmp_path / "v.key"),
        "-o",
        str(tmp_path / "out"),
        "--json",
    ]
    # the package was made by the test's clock: it is the machine's that the command heeds
    done = runner.invoke(cloche, arguments, env=environment)
    if datetime.now(UTC) < START - timedelta(days=1):
        assert isinstance(done.exception, RefusedError)
        return
    if done.exception is None:
        document = json.loads(done.stdout)
        assert document["schema"] == "cloche.vendor.open/1"
        assert Path(document["files"][0]).is_file()
    else:
        assert isinstance(done.exception, RefusedError)
        assert "到期" in str(done.exception)


KILLED = """
import os, signal, sys
from pathlib import Path
import tests_of_vendors as t
from agent.vendors import sharing
folder, step = Path(sys.argv[1]), sys.argv[2]
real = getattr(sharing, step)
def cut(*given, **named):
    if step == "write_package":
        os.write(given[0], b"")
        done = real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(sharing, step, cut)
sharing.forms.write_forms = lambda *_given: []
with t.opened(folder) as (agent, clock):
    t.register(agent)
    t.share(agent, folder, folder / "会员.csv")
"""


@pytest.mark.parametrize("step", ["run_confined", "write_package"])
def test_a_share_that_is_killed_leaves_no_plaintext_and_no_reused_canary(tmp_path, step):
    source = tmp_path / "会员.csv"
    source.write_bytes(members(40))
    (tmp_path / "tests_of_vendors.py").symlink_to(Path(__file__).resolve())
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), step], check=False, capture_output=True, timeout=100,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-800:]
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != source and path.name != "tests_of_vendors.py" and "__pycache__" not in path.parts:
            content = path.read_bytes()
            assert b"13800000012" not in content, path
            assert "王测试".encode("gb18030") not in content, path
            assert b"t12@example.com" not in content, path
    with opened(tmp_path) as (agent, clock):
        cut_off = vendors(agent).shares()
        assert [share.state for share in cut_off] == (["making"] if step in ("write_segment", "write_package") else [])
        used = {planting.phone for planting in vendors(agent).plantings()}
        clock.turn(hours=2)
        look_after(agent, clock.now)
        assert all(share.state == "abandoned" for share in vendors(agent).shares())
        if step != "write_package":
            return
        for package in tmp_path.glob("*.clochepkg"):
            package.unlink()
        share(agent, tmp_path, source)
        fresh = {planting.phone for planting in vendors(agent).plantings()} - used
        assert len(fresh) == 4


def test_a_confined_task_that_hangs_is_ended(tmp_path, monkeypatch):
    from agent import confined

    monkeypatch.setattr(confined, "START_SECONDS", 0.05)
    with opened(tmp_path) as (agent, _clock):
        began = time.monotonic()
        (tmp_path / "x").write_bytes(b"x")
        with descriptors(tmp_path / "x") as found, pytest.raises(ClocheError, match="隔离进程"):
            confined.run_confined(agent, "vendor.search", {"name": "x", "canaries": []}, found, seconds=0.05)
        assert time.monotonic() - began < 10
