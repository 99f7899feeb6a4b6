"""Staff, courses, what is due, and the papers: real lists, the real database, documents that are looked into."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from shops import Clock

from agent.operation import Caller, Request
from agent.operations import find_operation
from agent.training.catalogue import basis, built_in, known_roles, pack, role_of
from agent.training.lent import borrow, lend
from agent.training.records import EVERYONE
from agent.training.reminders import remind, stages
from agent.training.sheet import as_text, inert, read_sheet
from agent.training.standing import overdue, plus_months, standing
from agent.training.store import Register
from agent.wiring import build_agent
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.home import find_home
from config.schema import Settings
from config.text import LANGUAGES, Text, load_packs

NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
TODAY = date(2026, 11, 26)
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
KEEPER = Caller(uid=7, gid=7, pid=1, user="hr", roles=frozenset({"security_deputy"}))
MANAGER = Caller(uid=8, gid=8, pid=1, user="shop", roles=frozenset({"store_manager"}))
LAWYER = Caller(uid=9, gid=9, pid=1, user="law", roles=frozenset({"legal"}))
STRANGER = Caller(uid=10, gid=10, pid=1, user="guest")
PHONE = "13800000003"
LIST = f"""测试一店员工花名册,,,,,
工号,姓名,岗位,门店,手机号,入职日期
1001,王测试,店长,测试一店,13800000001,2024/3/1
1002,李样例,收银员,测试一店,{PHONE},2026年10月1日
1003,张演示,后厨,测试一店,,2025-1-5
"""
PEOPLE = [
    {
        "name": "王测试",
        "roles": ["store_manager"],
        "user": "shop",
        "contact": "138 0000 0001",
        "email": "w@example.com",
    },
    {"name": "陈模拟", "roles": ["security_deputy"], "user": "hr", "email": "c@example.com"},
    {"name": "赵虚构", "roles": ["legal"], "email": "z@example.com"},
]


@pytest.fixture
def clock():
    return Clock(NOON)


@pytest.fixture
def home(tmp_path):
    found = find_home(tmp_path / "home")
    found.create()
    return found


@pytest.fixture
def agent(home, clock):
    settings = Settings.model_validate({
        "store": {"name": "测试一店"}, "people": PEOPLE, "page": {"url": "https://report.example.com/s/1"},
        "senders": {"mode": "record", "smtp_host": "127.0.0.1", "smtp_from": "a@example.com"},
    })  # fmt: skip
    with build_agent(home, settings, now=clock) as agent:
        yield agent


def written(tmp_path, content, name="名单.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def call(agent, operation_name, caller=OWNER, /, *, lines=None, descriptors=(), **arguments):
    operation = find_operation(operation_name).load()
    with lend(lines) if lines is not None else contextlib.nullcontext(descriptors) as lent:
        return operation(agent, Request(arguments=arguments, caller=caller, descriptors=lent))


def imported(agent, tmp_path, content=LIST, **arguments):
    path = written(tmp_path, content)
    lines = read_sheet(path, agent.text)
    return call(agent, "training.staff.import", lines=lines, name="名单.csv", **arguments).document


def workbook(rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8", "utf-8-sig", "utf-16"])
def test_a_list_is_read_in_every_character_set_and_again_changes_nothing(agent, tmp_path, encoding):
    first = imported(agent, tmp_path, LIST.encode(encoding))
    assert (first["added"], first["unknown_titles"]) == (3, [])
    again = imported(agent, tmp_path, LIST.encode(encoding))
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 0, 3)
    people = {person.number: person for person in Register(agent).staff()}
    assert (people["1002"].name, people["1002"].role, people["1002"].phone) == ("李样例", "cashier", PHONE)
    assert people["1001"].since == date(2024, 3, 1)
    assert people["1002"].since == date(2026, 10, 1)


def test_a_workbook_is_read_with_numbers_days_and_english_headers(agent, tmp_path):
    rows = [["Staff No", "Name", "Position", "Mobile", "Hire Date", "Branch"],
            [1001, "王测试", "manager", 13800000001, date(2024, 3, 1), "测试二店"]]  # fmt: skip
    assert imported(agent, tmp_path, workbook(rows))["added"] == 1
    (person,) = Register(agent).staff()
    assert (person.number, person.role, person.phone, person.since, person.store) == (
        "1001", "store_manager", "13800000001", date(2024, 3, 1), "测试二店",
    )  # fmt: skip


def test_what_a_list_does_not_say_stays_and_a_changed_line_changes_one(agent, tmp_path):
    imported(agent, tmp_path)
    done = imported(agent, tmp_path, "工号;姓名;岗位\n1002;李样例;店长\n1003;张演示;后厨\n")
    assert (done["changed"], done["unchanged"]) == (1, 1)
    person = Register(agent).named("1002")
    assert (person.role, person.phone, person.since) == ("store_manager", PHONE, date(2026, 10, 1))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1002,,收银员,测试一店,,", "没有姓名"), (",李样例,,,,", "没有工号"), ("1001,李样例,,,,", "与第 3 行相同"),
        ("10 02,李样例,,,,", "工号只能"), ("1002,李样例,,,=cmd|x,", "手机号不是号码"),
        ("1002,李样例,,,,昨天", "不是日期"), ("1002,李样例,,,,2099-01-01", "在将来"),
        ("1002,李样例,,,,2026-02-30", "不是日期"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_by_file_and_number_and_nothing_of_the_list_counts(agent, tmp_path, line, why):
    head = "测试一店,,,,,\n工号,姓名,岗位,门店,手机号,入职日期\n1001,王测试,店长,测试一店,,\n"
    with pytest.raises(UsageError, match=f"名单.csv 第 4 行：.*{why}"):
        imported(agent, tmp_path, f"{head}{line}\n")
    assert Register(agent).staff() == []


def test_no_fault_repeats_what_stood_in_the_cell(agent, tmp_path):
    text = f"工号,姓名,手机号,入职日期\n{PHONE} x,{PHONE},手机{PHONE},生日{PHONE}\n"
    with pytest.raises(UsageError) as caught:
        imported(agent, tmp_path, text)
    assert PHONE not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "是空的"), ("工号,岗位\n1,x\n", "姓名"), ("工号,姓名\n", "表头下面"),
        ("工号,员工编号,姓名\n1,2,x\n", "两列"),
        (b"\x00\x01\x02\xff" * 400, "既不是文本"), (b"PK\x03\x04broken", "损坏"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "损坏"), ("工号,姓名\n1," + "x" * 3000 + "\n", "字符"),
        ("工号,姓名\n" + "".join(f"{n},x\n" for n in range(50_001)), "超过"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused_with_its_reason(agent, tmp_path, content, why):
    with pytest.raises(UsageError, match=why):
        imported(agent, tmp_path, content)


def test_a_workbook_that_unpacks_to_gigabytes_is_refused_before_it_is_read(agent, tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * (210 << 20))
    assert len(data.getvalue()) < 1 << 20
    with pytest.raises(UsageError, match="200 MiB"):
        imported(agent, tmp_path, data.getvalue())


def test_a_descriptor_that_holds_something_else_is_refused(agent, tmp_path):
    for content in (b"", b"{}", b"[[1]]", b'[["1", ["a"]]]', b"[" * 100_000):
        path = tmp_path / "lent"
        path.write_bytes(content)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            with pytest.raises(UsageError):
                borrow(descriptor)
        finally:
            os.close(descriptor)


def test_job_titles_that_nobody_knows_are_named_and_people_are_kept(agent, tmp_path):
    done = imported(agent, tmp_path, "工号,姓名,岗位\n1,王测试,首席品鉴官\n2,李样例,首席品鉴官\n")
    assert done["unknown_titles"] == [{"title": "首席品鉴官", "count": 2}]
    assert {person.role for person in Register(agent).staff()} == {"staff"}


def test_who_is_missing_from_the_list_has_left_only_on_a_persons_word(agent, tmp_path):
    imported(agent, tmp_path)
    shorter = "工号,姓名,门店\n1001,王测试,测试一店\n"
    assert imported(agent, tmp_path, shorter)["left"] == 0
    dry = imported(agent, tmp_path, shorter, others_left=True, dry_run=True)
    assert (dry["left"], len(Register(agent).staff())) == (2, 3)
    assert imported(agent, tmp_path, shorter, others_left=True)["left"] == 2
    assert [person.number for person in Register(agent).staff()] == ["1001"]
    assert Register(agent).named("1002").left == TODAY
    assert imported(agent, tmp_path)["changed"] == 2  # back again
    assert len(Register(agent).staff()) == 3


def test_a_leaver_owes_nothing_and_stays_on_record(agent, tmp_path):
    imported(agent, tmp_path)
    call(agent, "training.record", course="basics", numbers=["1002"], score=95)
    call(agent, "training.staff.leave", numbers=["1002"], on="2026-11-20")
    assert "1002" not in {entry.staff.number for entry in standing(agent, NOON).owed}
    assert [entry.number for entry in Register(agent).sessions("1002")] == ["1002"]
    with pytest.raises(UsageError, match="9999"):
        call(agent, "training.staff.leave", numbers=["1001", "9999"])
    assert Register(agent).named("1001").left is None


def test_a_course_is_due_again_after_its_interval_and_a_failed_test_does_not_count(agent, tmp_path):
    imported(agent, tmp_path)

    def due_of(number, course):
        return next(e.due for e in standing(agent, NOON).owed if (e.staff.number, e.id) == (number, course))

    assert due_of("1002", "basics") == TODAY + timedelta(days=30)
    document = call(agent, "training.record", course="basics", numbers=["1002"], score=79, on="2026-11-01").document
    assert (document["sessions"][0]["result"], document["sessions"][0]["next_due"]) == ("failed", None)
    assert due_of("1002", "basics") == TODAY + timedelta(days=30)
    document = call(agent, "training.record", course="basics", numbers=["1002"], score=80, on="2026-11-02").document
    assert document["sessions"][0]["next_due"] == "2027-11-02" == due_of("1002", "basics").isoformat()

    def late_at(moment):
        return ("1002", "basics") in {(entry.staff.number, entry.id) for entry in overdue(agent, moment)}

    assert not late_at(datetime(2027, 11, 2, 15, 59, tzinfo=UTC))
    assert late_at(datetime(2027, 11, 2, 16, 1, tzinfo=UTC))  # midnight in Shanghai has passed
    assert (
        call(agent, "training.record", course="basics", numbers=["1002"], score=80, on="2026-11-02").document[
            "unchanged"
        ]
        == 1
    )


def test_a_month_that_is_too_short_ends_on_its_last_day():
    assert plus_months(date(2028, 2, 29), 12) == date(2029, 2, 28)
    assert plus_months(date(2026, 12, 31), 2) == date(2027, 2, 28)


@pytest.mark.parametrize(
    "change",
    [
        {"course": "nothing"}, {"score": 101}, {"score": "90"}, {"result": "great"}, {"numbers": ["4711"]},
        {"numbers": []}, {"on": "2027-01-01"}, {"on": "x"}, {"score": None}, {"score": 10, "result": "passed"},
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_is_refused_and_nothing_is_kept(agent, tmp_path, change):
    imported(agent, tmp_path)
    with pytest.raises(UsageError):
        call(agent, "training.record", **{"course": "basics", "numbers": ["1001", "1002"], "score": 90, **change})
    assert Register(agent).sessions() == []


def test_sessions_come_from_a_list_all_of_it_or_none(agent, tmp_path):
    imported(agent, tmp_path)
    good = (
        "工号,课程,培训日期,讲师,成绩\n1001,顾客信息保护基础,2026-11-01,陈模拟,88分\n1002,front,2026/11/01,陈模拟,92\n"
    )
    path = written(tmp_path, good.encode("gb18030"))
    lines = read_sheet(path, agent.text)
    assert call(agent, "training.record", lines=lines, name="r.csv").document["recorded"] == 2
    assert call(agent, "training.record", lines=lines, name="r.csv").document["unchanged"] == 2
    bad = good + "1003,basics,2026-11-01,,不知道\n1003,没有的课,2026-11-01,,90\n"
    lines = read_sheet(written(tmp_path, bad), agent.text)
    with pytest.raises(UsageError, match=r"r.csv 第 4 行[\s\S]*r.csv 第 5 行"):
        call(agent, "training.record", lines=lines, name="r.csv")
    assert len(Register(agent).sessions()) == 2


def test_a_new_version_of_a_policy_must_be_acknowledged_again(agent, tmp_path, clock):
    imported(agent, tmp_path)

    def owed():
        return {e.staff.number for e in standing(agent, clock.now).owed if e.id == "watch"}

    assert owed() == {"1001", "1002", "1003"}
    done = call(agent, "training.acknowledge", policy="watch", numbers=["1001", "1002"], how="paper").document
    assert (done["acknowledged"], len(done["sha256"]), owed()) == (2, 64, {"1003"})
    own = policy_toml("watch", version="2", text="新的告知")
    call(agent, "training.course.import", name="own.toml", toml=own)
    assert owed() == {"1001", "1002", "1003"}
    again = call(agent, "training.acknowledge", policy="watch", numbers=["1001"]).document
    assert again["version"] == "2"
    assert again["sha256"] != done["sha256"]
    assert call(agent, "training.acknowledge", policy="watch", numbers=["1001"]).document["unchanged"] == 1
    with pytest.raises(UsageError, match="version"):  # the same version with another text
        call(agent, "training.course.import", name="own.toml", toml=policy_toml("watch", version="2", text="另一份"))
    with pytest.raises(UsageError, match="2026-11-20"):  # signed before it was there
        call(agent, "training.acknowledge", policy="watch", numbers=["1001"], on="2026-11-19")


def policy_toml(name, *, version="1", text="正文", roles='["everyone"]'):
    return (
        f'[[policies]]\nid = "{name}"\nversion = "{version}"\ndate = "2026-11-20"\nroles = {roles}\nwithin_days = 14\n'
        f'zh-CN = {{ title = "告知", text = "{text}" }}\nen = {{ title = "Notice", text = "{text}" }}\n'
    )


def test_the_chains_own_courses_replace_ours_and_every_fault_is_named_at_once(agent):
    course = (
        '[[courses]]\nid = "basics"\nroles = ["cashier"]\ninterval_months = 6\nwithin_days = 7\nminutes = 20\n'
        'zh-CN = "本店课程"\nen = "Our own"\noutline = { zh-CN = ["一"], en = ["one"] }\n'
    )
    call(agent, "training.course.import", name="own.toml", toml=course)
    found = Register(agent).catalogue()[0]["basics"]
    assert (found.interval_months, found.own, found.pass_score) == (6, True, None)
    broken = course.replace("6", "0").replace("cashier", "captain").replace('zh-CN = "本店课程"\n', "") + "[x]\n"
    with pytest.raises(UsageError) as caught:
        call(agent, "training.course.import", name="own.toml", toml=broken)
    for named in ("own.toml", "unknown tables x", "interval_months", "captain", "courses[1].zh-CN"):
        assert named in str(caught.value)
    for nothing in ("", "x = [", "courses = 3"):
        with pytest.raises(UsageError):
            call(agent, "training.course.import", name="own.toml", toml=nothing)


def test_who_has_an_account_acknowledges_alone_and_only_for_himself(agent, tmp_path):
    imported(agent, tmp_path)
    done = call(agent, "training.acknowledge", MANAGER, policy="watch").document
    assert done["acknowledged"] == 1
    (given,) = Register(agent).acknowledgements()
    assert (given.number, given.how, given.by) == ("1001", "account", "shop")
    with pytest.raises(UsageError, match="guest"):
        call(agent, "training.acknowledge", STRANGER, policy="watch")
    with pytest.raises(RefusedError):
        call(agent, "training.acknowledge", STRANGER, policy="watch", numbers=["1001"])


def test_roles_are_asked_for_and_others_see_masked_names_and_no_phone(agent, tmp_path, home):
    imported(agent, tmp_path)
    for name in ("staff.import", "staff.list", "staff.leave", "record", "due", "export", "course.import", "card"):
        with pytest.raises(RefusedError):
            call(agent, f"training.{name}", STRANGER, numbers=["1001"])
    for name in ("staff.import", "staff.leave", "record", "export", "course.import"):
        with pytest.raises(RefusedError):
            call(agent, f"training.{name}", LAWYER, numbers=["1001"])
    seen = json.dumps(call(agent, "training.staff.list", LAWYER).document, ensure_ascii=False)
    assert "李样例" not in seen
    assert PHONE not in seen
    seen = json.dumps(call(agent, "training.staff.list", MANAGER).document, ensure_ascii=False)
    assert "李样例" in seen
    assert PHONE not in seen
    with pytest.raises(RefusedError):
        call(agent, "training.staff.list", MANAGER, phones=True)
    assert PHONE in json.dumps(call(agent, "training.staff.list", KEEPER, phones=True).document)
    assert "training.staff.phones" in home.audit_log.read_text()
    assert "basics" in json.dumps(call(agent, "training.course.list", STRANGER).document)


def test_staff_stand_in_the_private_database_and_nowhere_else(agent, tmp_path, home, clock):
    imported(agent, tmp_path)
    call(agent, "training.record", course="basics", numbers=["1002"], score=90, trainer=f"李样例 {PHONE}")
    call(agent, "training.staff.leave", numbers=["1003"])
    clock.now = NOON + timedelta(days=400)
    remind(agent, clock.now)
    assert stat.S_IMODE(home.inventory_db.stat().st_mode) == 0o600
    for path in home.state.rglob("*"):
        if path.is_file() and not path.name.startswith("inventory.db"):
            content = path.read_bytes()
            assert PHONE.encode() not in content, path
            assert "李样例".encode() not in content, path
            assert json.dumps("李样例").strip('"').encode() not in content, path
    person = Register(agent).named("1002")
    assert "李样例" not in repr(person)
    assert PHONE not in repr(person)
    assert PHONE not in Register(agent).sessions()[0].trainer


def told(agent):
    from agent.messages.queue import deliveries

    return [(entry.person, entry.subject, entry.text) for entry in reversed(deliveries(agent))]


def test_each_stage_is_told_once_by_day_and_names_are_masked(agent, tmp_path, clock):
    imported(agent, tmp_path)
    clock.now = NOON.replace(hour=22)  # 06:00 in Shanghai
    remind(agent, clock.now)
    assert told(agent) == []
    clock.now = NOON + timedelta(days=1)
    for _ in range(3):
        remind(agent, clock.now)
    (first,) = told(agent)
    assert first[0] == "王测试"
    assert "30" in first[1]
    assert "李样例" not in first[2]
    assert "1002" in first[2]
    clock.now = NOON + timedelta(days=2)
    remind(agent, clock.now)
    assert len(told(agent)) == 1
    clock.now = NOON + timedelta(days=30)
    remind(agent, clock.now)
    assert len(told(agent)) == 2
    assert "今天到期" in told(agent)[1][1]
    clock.now = NOON + timedelta(days=61)  # the daemon was away: of two stages the later one is told
    remind(agent, clock.now)
    assert [person for person, _, _ in told(agent)[2:]] == ["陈模拟", "王测试"]
    assert "一个月" in told(agent)[2][1]
    clock.now = NOON + timedelta(days=62)
    remind(agent, clock.now)
    assert len(told(agent)) == 4


def test_what_was_done_is_reminded_of_no_more(agent, tmp_path, clock):
    imported(agent, tmp_path, "工号,姓名,岗位\n1003,张演示,后厨\n")
    call(agent, "training.record", course="basics", numbers=["1003"], score=90)
    for policy in ("watch", "confidentiality"):
        call(agent, "training.acknowledge", policy=policy, numbers=["1003"])
    clock.now = NOON + timedelta(days=100)
    remind(agent, clock.now)
    assert told(agent) == []


def test_formulas_of_a_hostile_list_are_inert_in_what_is_exported(agent, tmp_path):
    imported(agent, tmp_path, '工号,姓名,岗位\n-1,"=HYPERLINK(""http://x"")",@SUM(A1)\n#2,+cmd|\' /C calc\'!A0,x\n')
    path = tmp_path / "out.csv"
    with path.open("wb") as file:
        call(agent, "training.export", descriptors=(file.fileno(),), format="csv")
    text = path.read_bytes().decode("utf-8-sig")
    cells = [cell for line in text.splitlines() for cell in re.split(r",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", line)]
    assert any("HYPERLINK" in cell for cell in cells)
    assert not any(cell.strip('"').lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
    assert inert("\t=1") == "'\t=1"


def test_the_record_for_an_auditor_has_everything_and_a_page_to_sign(agent, tmp_path, home):
    imported(agent, tmp_path)
    call(agent, "training.record", course="basics", numbers=["1001", "1002"], score=90, trainer="陈模拟")
    call(agent, "training.acknowledge", policy="watch", numbers=["1001"])
    document = call(agent, "training.export").document
    endings = sorted(path.rsplit(".", 2)[1:] for path in document["paths"] if not path.endswith(".csv"))
    assert ["zh-CN", "docx"] in endings
    assert ["en", "html"] in endings
    page = next(path for path in document["paths"] if path.endswith("zh-CN.html"))
    text = Path(page).read_text(encoding="utf-8")
    digest = Register(agent).catalogue()[1]["watch"].digest
    for wanted in ("培训记录", "李样例", "合格 90", "监看告知", digest, digest[:16], "签字", "未核实", "张演示"):
        assert wanted in text, wanted
    assert PHONE not in text
    assert all(stat.S_IMODE(os.stat(path).st_mode) == 0o600 for path in document["paths"])


def test_an_empty_register_is_told_plainly_and_still_makes_a_record(agent):
    assert call(agent, "training.due").document["staff"] == 0
    assert overdue(agent, NOON) == ()
    assert call(agent, "training.export").document["paths"]


def card_text(agent, tmp_path, **arguments):
    path = tmp_path / f"card{time.monotonic_ns()}.pdf"
    with path.open("wb") as file:
        answer = call(agent, "training.card", descriptors=(file.fileno(),), **arguments)
    done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True)
    return answer, done.stdout


@pytest.mark.needs("pdftotext")
@pytest.mark.parametrize("size", ["A4", "A6"])
def test_the_card_is_one_page_with_whom_to_call_and_says_what_it_lacks(agent, tmp_path, size):
    answer, text = card_text(agent, tmp_path, size=size)
    assert "\f" not in text.rstrip("\f\n ")
    for wanted in ("店长应急卡", "前十分钟", "138 0000 0001", "report.example.com", "扫码"):
        assert wanted in re.sub(r"(?<=[^\x00-\x7f])\s+(?=[^\x00-\x7f])", "", text), wanted
    assert (answer.exit_code, answer.document["lacks"]) == (ExitCode.INCOMPLETE, ["card_lacks_contact"])


@pytest.mark.needs("pdftotext")
def test_without_a_page_and_people_the_card_has_room_and_a_hint(home, tmp_path):
    with build_agent(home, Settings()) as bare:
        answer, text = card_text(bare, tmp_path, size="A6", language="en")
        assert answer.document["lacks"] == ["card_lacks_page", "card_lacks_people"]
        assert "No report page is on" in " ".join(text.split())
        assert "\f" not in text.rstrip("\f\n ")


@pytest.mark.needs("pdftotext")
def test_a_card_with_many_people_and_long_names_still_is_one_page(home, tmp_path):
    people = [
        {"name": f"王测试{'长' * 12}{n}", "roles": [role], "contact": "138 0000 0001 转 8001"}
        for n, role in enumerate(("store_manager", "response_lead", "security_lead", "area_manager", "legal"))
    ]
    settings = Settings.model_validate({"store": {"name": "测试" * 20}, "people": people})
    with build_agent(home, settings) as crowded:
        for size in ("A4", "A6"):
            for language in LANGUAGES:
                _answer, text = card_text(crowded, tmp_path, size=size, language=language)
                assert "\f" not in text.rstrip("\f\n "), (size, language)


def test_the_code_on_the_card_is_the_pages_address():
    from agent.training.card import qr_code

    svg = qr_code("https://report.example.com/s/1")
    assert svg.startswith(b"<?xml")
    assert b"<path" in svg
    assert svg != qr_code("https://report.example.com/s/2")


def test_the_pack_is_whole_and_names_roles_that_there_are():
    courses, policies = built_in()
    assert len({course.id for course in courses}) == len(courses) >= 6
    assert "watch" in {policy.id for policy in policies}
    taught = {role for course in courses for role in course.roles}
    assert taught - {EVERYONE} <= known_roles()
    assert known_roles() - {"staff", "kitchen"} <= taught - {EVERYONE} | {"delivery"}
    assert all(set(stage.to) <= known_roles() for stage in stages())
    assert [stage.name for stage in stages()] == ["soon", "due", "late", "escalated"]
    for stage in stages():
        assert f"training.remind_{stage.name}" in load_packs()
    assert basis().verified is False
    assert all(course.interval_months <= 12 for course in courses)
    for title, role in (
        ("店长", "store_manager"),
        ("Cook", "kitchen"),
        ("收 银 员", "cashier"),
        ("IT", "tech_support"),
    ):
        assert role_of(title) == role
    for role in pack()["aliases"]:
        assert role in known_roles()


def test_a_policys_digest_covers_every_word_of_it():
    policy = next(policy for policy in built_in()[1] if policy.id == "watch")
    others = [
        replace(policy, id="watch2"), replace(policy, version="2"),
        replace(policy, text={**policy.text, "en": policy.text["en"] + "."}),
        replace(policy, title={**policy.title, "zh-CN": "监看"}),
    ]  # fmt: skip
    assert len({policy.digest, *(other.digest for other in others)}) == 5


def test_text_in_two_character_sets_is_named_by_its_line():
    data = "工号,姓名\n".encode() * 3000 + "王测试".encode("gb18030") + b"\n"
    with pytest.raises(UsageError, match="第 3001 行"):
        as_text(data, "x.csv", Text("zh-CN"))


def cloche(home, *arguments, **environment):
    return subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "cloche"), *arguments],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "CLOCHE_HOME": str(home.state), **environment},
    )  # fmt: skip


def test_the_command_line_speaks_both_languages_and_leaves_no_half_file(home, tmp_path):
    path = written(tmp_path, LIST.encode("gb18030"))
    done = cloche(home, "training", "staff", "import", path)
    assert (done.returncode, "新增 3" in done.stdout) == (0, True), done.stderr
    listed = cloche(home, "training", "staff", "list", CLOCHE_STORE__LANGUAGE="en")
    assert "cashier" in listed.stdout
    assert PHONE not in listed.stdout
    target = tmp_path / "evidence.csv"
    assert cloche(home, "training", "export", "-o", str(target)).returncode == 0
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    wrong = cloche(home, "training", "export", "-o", str(tmp_path / "x.exe"), "--json")
    assert json.loads(wrong.stdout)["exit_code"] == 2 == wrong.returncode
    refused = cloche(home, "training", "staff", "import", path, "--others-left")
    assert (refused.returncode, "离职" in refused.stderr) == (4, True)


def test_every_error_is_ours(agent, tmp_path):
    imported(agent, tmp_path)
    for name, arguments in (
        ("acknowledge", {"policy": "x"}), ("due", {"days": -1}), ("course.list", {"id": "x"}), ("staff.import", {}),
        ("export", {"format": "exe"}), ("card", {"size": "A0"}), ("staff.list", {"role": "x"}),
        ("card", {"language": "fr"}), ("staff.leave", {"numbers": "1"}),
    ):  # fmt: skip
        with pytest.raises(ClocheError):
            call(agent, f"training.{name}", **arguments)
