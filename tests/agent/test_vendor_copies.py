"""Each vendor has a copy of its own: how it is made and opened, whose copy leaked, and what is on record.

All of it looks at one list that is shared once, and the record at the end at what came before.
"""

import csv
import io
import json
import os
import random
import re
import sqlite3
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from vendor_shop import (
    PHONES,
    RECOVERY,
    START,
    VENDOR,
    ask,
    descriptors,
    members,
    opened,
    register,
    share,
    trace,
    unpacked,
)

from agent.audit import verify
from agent.cli import cloche
from agent.incident.store import incidents
from agent.vendors import ending, operations, searching, tracing
from agent.vendors.segment import read_segment
from agent.vendors.store import vendors
from config.errors import CorruptError, RefusedError, UsageError
from config.identity import key_id, make_identity
from containment.keys import Unlocker


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
