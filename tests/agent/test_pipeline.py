"""The line: a scan's items go to the inventory, the watch and the answer. The scanner is replaced by a list here."""

import base64
import json
import os
import time
from types import SimpleNamespace

import pytest

from agent.inventory.store import Inventory
from agent.operation import Caller, Request
from agent.pipeline import scan
from agent.watch.api import NoWatch
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.home import find_home
from config.schema import Settings
from config.text import Text
from scanners.masking import mask_text
from scanners.records import FileIdentity, Finding, Item, Place

PHONES = Finding(
    entity="PHONE_NUMBER", count=9, distinct=7, confidence=0.91234, samples=("138****1111",),
    place=Place(table="members", column="mobile"),
)  # fmt: skip
OWNER = Caller(uid=0, gid=0, pid=1, user="owner", is_owner=True)
LAWYER = Caller(uid=1000, gid=1000, pid=1, user="lawyer", roles=frozenset({"privacy_officer"}))


class RememberingWatch(NoWatch):
    """Nothing is watched, but what was asked for is remembered in order."""

    def __init__(self):
        self.said = []

    def exempt(self, pid):
        self.said.append(("exempt", pid))
        return True

    def mark(self, items):
        items = list(items)
        self.said.append(("mark", [item.path for item in items]))
        return super().mark(items)

    def unmark(self, keys):
        self.said.append(("unmark", list(keys)))


class RememberingAudit:
    """Remembers acts."""

    def __init__(self):
        self.acts = []

    def append(self, act, actor, **details):
        self.acts.append((act, actor, details))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "share"
    folder.mkdir()
    for name in ("a.csv", "shop.db", "b.csv"):
        (folder / name).write_text("x")
    return os.fsencode(folder)


@pytest.fixture
def agent(tmp_path):
    home = find_home(tmp_path / "home")
    home.create()
    with Inventory(home.inventory_db) as inventory:
        yield SimpleNamespace(
            home=home, settings=Settings(), text=Text("en"), inventory=inventory, watch=RememberingWatch(),
            mask=mask_text, audit=RememberingAudit(),
        )  # fmt: skip


def file_item(path, **facts):
    inode = abs(hash(path)) % 10**9
    identity = FileIdentity(
        filesystem="", inode=inode, birth_ns=0, device=1, mtime_ns=5, size=3, links=1, uid=0, mode=0o100600
    )
    return Item(**({"path": path, "kind": "csv", "status": "read", "size": 3, "identity": identity} | facts))


@pytest.fixture
def scanner(monkeypatch):
    """Lets a test say which items the scan meets."""
    met = SimpleNamespace(items=[], requests=[], known=[])

    def fake(request):
        met.requests.append(request)
        request.on_worker(4711)
        if isinstance(met.items, list):
            met.known = [request.known(item.path, item.identity) for item in met.items if item.identity]
        yield from met.items

    monkeypatch.setattr("scanners.scan.scan", fake)
    return met


def ask(agent, caller=OWNER, progress=lambda _update: None, **arguments):
    return scan(agent, Request(arguments=arguments, caller=caller, progress=progress))


def test_the_answer_has_every_item_and_its_coverage_adds_up(agent, scanner, root):
    scanner.items = [
        file_item(root + b"/a.csv", findings=(PHONES,), persons=7, level=3, score=61.04),
        file_item(root + b"/b.csv", status="partial", reason="malformed"),
        Item(path=root + b"/c", kind="other", status="unread", reason="special"),
        Item(path=root + b"/d", kind="other", status="skipped", reason="excluded"),
    ]
    answer = ask(agent, paths=[os.fsdecode(root)])
    document = answer.document
    coverage = document["coverage"]
    assert document["schema"] == "cloche.scan/1"
    assert coverage == {"listed": 4, "read": 1, "partial": 1, "unread": 1, "skipped": 1, "bytes": 6}
    assert len(document["items"]) == coverage["listed"]
    first = document["items"][0]
    assert first["path"] == os.fsdecode(root) + "/a.csv"
    assert (first["status"], first["level"], first["score"], first["persons"]) == ("read", 3, 61.0, 7)
    assert first["findings"] == [
        {
            "entity": "PHONE_NUMBER", "count": 9, "distinct": 7, "confidence": 0.912,
            "nature": "personal", "subject": "unknown",
            "place": {"table": "members", "column": "mobile", "member": None, "page": None, "line": None},
            "samples": ["138****1111"],
        }
    ]  # fmt: skip
    assert not document["clean"]
    assert answer.exit_code == ExitCode.INCOMPLETE
    json.dumps(document)


def test_what_was_found_is_in_the_inventory_and_marked_after_workers_were_exempted(agent, scanner, root):
    scanner.items = [file_item(root + b"/a.csv", findings=(PHONES,), persons=7, level=3), file_item(root + b"/b.csv")]
    ask(agent, paths=[os.fsdecode(root)])
    assert agent.inventory.item_at(root + b"/a.csv").persons == 7
    assert agent.watch.said == [("exempt", 4711), ("mark", [root + b"/a.csv"])]


def test_a_file_that_was_cleaned_is_watched_no_longer(agent, scanner, root):
    before = file_item(root + b"/a.csv", findings=(PHONES,), persons=7, level=3)
    scanner.items = [before]
    ask(agent, paths=[os.fsdecode(root)])
    scanner.items = [file_item(root + b"/a.csv")]
    ask(agent, paths=[os.fsdecode(root)])
    assert agent.watch.said[-2:] == [("mark", []), ("unmark", [before.identity.key])]


@pytest.mark.parametrize(
    ("found", "status", "strict", "code"),
    [
        ((), "read", False, ExitCode.DONE),
        ((PHONES,), "read", False, ExitCode.DONE),
        ((PHONES,), "read", True, ExitCode.FINDINGS),
        ((), "partial", True, ExitCode.INCOMPLETE),
        ((PHONES,), "partial", True, ExitCode.FINDINGS),
    ],
)
def test_the_exit_code_is_10_before_3_and_10_only_when_asked_for(agent, scanner, found, status, strict, code):
    root = b"/"
    reason = "" if status == "read" else "malformed"
    scanner.items = [file_item(root + b"/a.csv", findings=found, status=status, reason=reason)]
    assert ask(agent, paths=[os.fsdecode(root)], fail_on_findings=strict).exit_code == code


def test_customers_are_counted_once_over_all_files_and_tables(agent, scanner, root):
    table = Item(path=root + b"/shop.db#users", kind="table", status="read", persons=100, findings=(PHONES,),
                 person_keys=frozenset(range(100)))  # fmt: skip
    scanner.items = [
        file_item(root + b"/a.csv", persons=80, person_keys=frozenset(range(50, 130)), findings=(PHONES,)),
        file_item(root + b"/shop.db", kind="sqlite"),
        table,
    ]
    document = ask(agent, paths=[os.fsdecode(root)]).document
    assert document["persons"] == 130
    assert [item["persons"] for item in document["items"]] == [80, 100, 100]


def test_no_person_key_reaches_the_answer_or_the_database(agent, scanner, root):
    key = 0x7E57_AB1E_C0FF_EE42
    scanner.items = [file_item(root + b"/a.csv", persons=1, person_keys=frozenset({key}), findings=(PHONES,))]
    answer = ask(agent, paths=[os.fsdecode(root)])
    content = b"".join(path.read_bytes() for path in agent.home.state.glob("inventory.db*"))
    assert root in content
    for form in (str(key), f"{key:x}"):
        assert form not in json.dumps(answer.document)
        assert form.encode() not in content
    assert key.to_bytes(8, "big") not in content
    assert key.to_bytes(8, "little") not in content


def test_marks_in_names_are_escaped_and_odd_bytes_go_along_in_base64(agent, scanner, root):
    odd = root + b"/50%!#\xff.db"
    scanner.items = [
        file_item(odd, kind="sqlite"),
        Item(path=odd + b"#users%23", kind="table", status="read"),
    ]
    items = ask(agent, paths=[os.fsdecode(root)]).document["items"]
    shown = root + b"/50%25%21%23\xff.db"
    assert base64.b64decode(items[0]["path_b64"]) == shown
    assert base64.b64decode(items[1]["path_b64"]) == shown + b"#users%23"
    assert items[0]["path"] == shown.decode("utf-8", "replace")


def test_somebody_with_a_role_sees_masked_names_only(agent, scanner, root):
    named = root + b"/13800001111.csv"
    finding = Finding(entity="PHONE_NUMBER", count=1, distinct=1, confidence=1.0, place=Place(table="13900002222"))
    scanner.items = [file_item(named, findings=(finding,))]
    assert "13800001111" in json.dumps(ask(agent, paths=[os.fsdecode(root)]).document)
    agent.settings = Settings.model_validate({"scan": {"roots": [os.fsdecode(root)]}})
    masked = json.dumps(ask(agent, caller=LAWYER, paths=[os.fsdecode(root)]).document)
    assert "13800001111" not in masked
    assert "13900002222" not in masked


def test_a_role_scans_the_settings_folders_only_for_what_is_inventoried_may_be_quarantined(agent, scanner, root):
    agent.settings = Settings.model_validate({"scan": {"roots": [os.fsdecode(root)]}})
    for path in ("/etc", os.fsdecode(root) + "/../..", os.fsdecode(root) + "-other"):
        with pytest.raises(ClocheError):
            ask(agent, caller=LAWYER, paths=[path])
    link = os.fsdecode(root) + "/out"
    os.symlink("/etc", link)
    with pytest.raises(RefusedError):
        ask(agent, caller=LAWYER, paths=[link])
    assert scanner.requests == []


def test_nobody_without_a_role_may_scan(agent, scanner, root):
    nobody = Caller(uid=1000, gid=1000, pid=1, user="nobody", roles=frozenset({"store_manager"}))
    with pytest.raises(RefusedError, match="nobody"):
        ask(agent, caller=nobody, paths=[os.fsdecode(root)])
    assert scanner.requests == []


def test_a_missing_path_and_no_path_are_usage_errors_and_nothing_is_recorded(agent, scanner, root):
    with pytest.raises(UsageError, match="nowhere"):
        ask(agent, paths=[os.fsdecode(root) + "/nowhere"])
    with pytest.raises(UsageError, match="nothing to scan"):
        ask(agent)
    assert agent.inventory.last_run(ended=False) is None


@pytest.mark.parametrize("count", [0, -1, 65])
def test_a_number_of_workers_out_of_bounds_is_refused(agent, scanner, root, count):
    with pytest.raises(UsageError, match="from 1 to 64"):
        ask(agent, paths=[os.fsdecode(root)], workers=count)


def test_cloches_own_folders_are_handed_over_as_reserved(agent, scanner, root):
    ask(agent, paths=[os.fsdecode(root)])
    assert os.fsencode(agent.home.state) in scanner.requests[0].reserved


def test_progress_is_told_with_masked_names(agent, scanner, root):
    scanner.items = [file_item(root + b"/13800001111.csv", findings=(PHONES,))]
    told = []
    ask(agent, progress=told.append, paths=[os.fsdecode(root)])
    assert told[0]["items"] == 1
    assert told[0]["found"] == 1
    assert "13800001111" not in told[0]["current"]


def test_named_paths_are_read_in_full_and_configured_roots_only_where_they_changed(agent, scanner, root):
    agent.settings = Settings.model_validate({"scan": {"roots": [os.fsdecode(root)]}})
    seen = file_item(root + b"/a.csv", findings=(PHONES,), persons=7, level=3, score=50.0)
    scanner.items = [seen]
    ask(agent)
    ask(agent)
    assert [(item.path, item.persons, item.level) for item in scanner.known[0]] == [(seen.path, 7, 3)]
    ask(agent, full=True)
    assert scanner.known == [None]
    ask(agent, paths=[os.fsdecode(root)])
    assert scanner.known == [None]


def test_another_detection_setting_makes_everything_be_read_again(agent, scanner, root):
    seen = file_item(root + b"/a.csv")
    scanner.items = [seen]
    agent.settings = Settings.model_validate({"scan": {"roots": [os.fsdecode(root)]}})
    ask(agent)
    ask(agent, names=False)
    assert scanner.known == [None]
    ask(agent, names=False)
    assert scanner.known != [None]


def test_a_scan_that_breaks_keeps_what_it_had_and_calls_nothing_gone(agent, scanner, root, monkeypatch):
    monkeypatch.setattr("agent.inventory.recording.BATCH", 1)
    scanner.items = [file_item(root + b"/a.csv", persons=7), file_item(root + b"/b.csv")]
    ask(agent, paths=[os.fsdecode(root)])

    def breaks():
        yield file_item(root + b"/a.csv", persons=8)
        yield file_item(root + b"/shop.db")
        raise ClocheError("the disk is gone")

    scanner.items = breaks()
    with pytest.raises(ClocheError, match="the disk is gone"):
        ask(agent, paths=[os.fsdecode(root)])
    assert agent.inventory.item_at(root + b"/a.csv").persons == 8
    assert agent.inventory.item_at(root + b"/b.csv").state == "plain"
    assert agent.inventory.last_run().coverage.listed == 2


def test_a_scheduled_scan_answers_without_items_and_takes_breath_between_files(agent, scanner, root, monkeypatch):
    breaths = []
    monkeypatch.setattr("agent.pipeline.is_busy", lambda _settings: breaths.append(1))
    agent.settings = Settings.model_validate({"scan": {"roots": [os.fsdecode(root)]}})
    scanner.items = [file_item(root + b"/a.csv", findings=(PHONES,))]
    document = ask(agent, scheduled=True).document
    assert "items" not in document
    assert document["coverage"]["listed"] == 1
    assert breaths


def test_every_scan_is_recorded_with_masked_roots_and_what_it_covered(agent, scanner, tmp_path):
    (tmp_path / "13800001111").mkdir()
    ask(agent, paths=[str(tmp_path / "13800001111")])
    ((act, actor, details),) = agent.audit.acts
    assert (act, actor, details["listed"]) == ("scan", "owner", 0)
    assert "138****1111" in details["roots"][0]


@pytest.mark.slow
def test_memory_and_time_stay_bounded_over_many_items(agent, scanner, root):
    scanner.items = (file_item(root + b"/%d.csv" % n) for n in range(20_000))
    start = time.monotonic()
    assert ask(agent, paths=[os.fsdecode(root)], scheduled=True).document["coverage"]["listed"] == 20_000
    assert time.monotonic() - start < 15
