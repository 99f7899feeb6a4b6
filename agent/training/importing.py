"""Lists to records: which column is what, and what is wrong with which line. All of a list counts, or none of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from agent.training.catalogue import role_of
from agent.training.records import RESULTS, Course, Result, Session, Staff
from config.errors import UsageError
from config.text import Text

HEADER_WITHIN: Final = 10  # lines; above it stand titles
MOST_FAULTS: Final = 20
EARLIEST: Final = date(1950, 1, 1)
NUMBER: Final = re.compile(r"[\w.\-/#]{1,40}")
PHONE: Final = re.compile(r"\+?[0-9][0-9 \-()]{4,24}")
_DAY: Final = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T].*)?")
_SOLID_DAY: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")

STAFF_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("工号", "员工编号", "员工号", "编号", "人员编号", "职员编号", "staffno", "staffnumber", "employeeid",
               "employeeno", "employeenumber", "number", "no", "id"),
    "name": ("姓名", "员工姓名", "名字", "name", "staffname", "employeename", "fullname"),
    "title": ("岗位", "职位", "职务", "角色", "工种", "岗位名称", "role", "position", "jobtitle", "title", "job"),
    "store": ("门店", "所属门店", "店铺", "门店名称", "部门", "所属部门", "store", "shop", "branch", "department"),
    "phone": ("手机", "手机号", "手机号码", "电话", "联系电话", "联系方式", "phone", "mobile", "tel", "telephone"),
    "since": ("入职日期", "入职时间", "入职", "到岗日期", "hired", "hiredate", "joined", "startdate", "since"),
    "left": ("离职日期", "离职时间", "离职", "left", "lefton", "leavingdate", "enddate", "terminated"),
}  # fmt: skip
RECORD_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": STAFF_COLUMNS["number"],
    "course": ("课程", "课程编号", "培训课程", "培训内容", "培训项目", "course", "courseid", "training"),
    "on": ("日期", "培训日期", "培训时间", "完成日期", "date", "day", "completed", "on"),
    "trainer": ("讲师", "培训人", "授课人", "培训讲师", "trainer", "teacher", "instructor"),
    "result": ("结果", "考核结果", "培训结果", "是否合格", "result", "outcome", "passed"),
    "score": ("成绩", "分数", "得分", "考试成绩", "score", "mark", "points"),
}  # fmt: skip
_RESULTS: Final[Mapping[str, Result]] = {
    **{name: name for name in RESULTS},
    "合格": "passed", "通过": "passed", "是": "passed", "pass": "passed", "yes": "passed", "及格": "passed",
    "不合格": "failed", "未通过": "failed", "否": "failed", "fail": "failed", "no": "failed", "不及格": "failed",
    "参加": "attended", "出席": "attended", "已参加": "attended", "完成": "attended", "已完成": "attended",
}  # fmt: skip
Line = tuple[int, list[str]]


@dataclass(frozen=True, kw_only=True)
class StaffList:
    """What a list of staff says. `unknown_titles` are job titles that no role is known for, with how many have it."""

    people: tuple[Staff, ...]
    unknown_titles: Mapping[str, int]


class _Faults:
    """Collects what is wrong, by file and line; the cell's own text is never repeated, for it may be anything."""

    def __init__(self, name: str, text: Text) -> None:
        self._name = name
        self._text = text
        self._found: list[str] = []
        self._count = 0

    def add(self, line: int, key: str, **values: object) -> None:
        """A text `training.<key>` says what."""
        self._count += 1
        if len(self._found) < MOST_FAULTS:
            why = self._text(f"training.{key}", **values)
            self._found.append(self._text("training.line", name=self._name, line=line, why=why))

    def end(self) -> None:
        """Raises UsageError with everything that was wrong."""
        if self._count > len(self._found):
            self._found.append(self._text("training.more_faults", count=self._count - len(self._found)))
        if self._found:
            raise UsageError("\n".join(self._found))


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A list as it came: the file's name for messages, the reader's language, its lines, and the store's day."""

    name: str
    text: Text
    lines: Sequence[Line] = field(repr=False)
    today: date


def read_staff(sheet: Sheet, known: Mapping[str, Staff], store: str) -> StaffList:
    """The staff that a list names.

    Args:
        sheet: with the header somewhere in the first ten lines.
        known: who is on the list already: what a missing column would say stays as it is.
        store: of whoever has none in the list.

    Raises:
        UsageError: a column is missing, or lines are wrong: each is named, and nothing of the list counts.
    """
    places, rows = _columns(sheet, STAFF_COLUMNS, ("number", "name"))
    faults, today = _Faults(sheet.name, sheet.text), sheet.today
    people: dict[str, Staff] = {}
    first: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for line, cells in rows:
        row = _Row(line, cells, places, faults)
        number = row.number()
        if not (named := row.cell("name")):
            faults.add(line, "no_name")
        if number in first:
            faults.add(line, "same_number", first=first[number])
        first.setdefault(number, line)
        before = known.get(number)
        title = row.cell("title")
        role = role_of(title) if title else None
        if title and role is None:
            unknown[title] = unknown.get(title, 0) + 1
        left = row.day("left", today + timedelta(days=366))
        since = row.day("since", today + timedelta(days=366))
        if left and since and left < since:
            faults.add(line, "left_before")
        here = row.cell("store")
        phone = row.phone()
        people[number] = Staff(
            number=number, name=named, role=role or "staff", title=title, store=here or store, phone=phone,
            since=since or today, left=left, added=today,
        )  # fmt: skip
        if before:
            people[number] = _keep(people[number], before, places, since)
    faults.end()
    return StaffList(people=tuple(people.values()), unknown_titles=unknown)


def _keep(now: Staff, before: Staff, places: Mapping[str, int], since: date | None) -> Staff:
    """What the list has no column for stays."""
    return replace(
        now,
        added=before.added,
        since=since or before.since,
        title=now.title if "title" in places else before.title,
        role=now.role if "title" in places else before.role,
        store=now.store if "store" in places else before.store,
        phone=now.phone if "phone" in places else before.phone,
        left=now.left,
    )


def read_sessions(
    sheet: Sheet, courses: Mapping[str, Course], fallback: Session, result: Result | None = None
) -> tuple[Session, ...]:
    """The sessions that a list names; what it does not say is taken from `fallback`, and the result from `result`.

    Raises:
        UsageError: a column is missing, or lines are wrong: each is named, and nothing of the list counts.
    """
    needed = ["number", *(["course"] if not fallback.course else [])]
    places, rows = _columns(sheet, RECORD_COLUMNS, needed)
    faults = _Faults(sheet.name, sheet.text)
    by_title = {_plain(title): course.id for course in courses.values() for title in course.title.values()}
    sessions: dict[tuple[str, str, date], Session] = {}
    for line, cells in rows:
        row = _Row(line, cells, places, faults)
        number = row.number()
        said = row.cell("course") or fallback.course
        course = said if said in courses else by_title.get(_plain(said), "")
        if not course:
            faults.add(line, "no_course")
            continue
        on = row.day("on", sheet.today) or fallback.on
        score = row.score()
        said_result = row.result() or result
        score = fallback.score if score is None else score
        outcome = judge(courses[course], said_result, score)
        if outcome is None:
            faults.add(line, "no_result", course=course, score=courses[course].pass_score)
            continue
        session = replace(
            fallback, number=number, course=course, on=on, trainer=row.cell("trainer") or fallback.trainer,
            result=outcome, score=score,
        )  # fmt: skip
        key = number, course, on
        if sessions.get(key, session) != session:
            faults.add(line, "same_session")
        sessions[key] = session
    faults.end()
    return tuple(sessions.values())


def judge(course: Course, result: Result | None, score: int | None) -> Result | None:
    """The result that a session has: by the score where the course has a bound, else the one given.

    None where it cannot be told: the course ends with a test and there is neither, or it was `passed` with a score
    below the bound.
    """
    if course.pass_score is None:
        return result or "attended"
    if score is None:
        return result if result in ("passed", "failed") else None
    by_score: Result = "passed" if score >= course.pass_score else "failed"
    if result == "passed" and by_score == "failed":
        return None
    return "failed" if result == "failed" else by_score


class _Row:
    """One line's cells by their meaning."""

    def __init__(self, line: int, cells: Sequence[str], places: Mapping[str, int], faults: _Faults) -> None:
        self._line, self._cells, self._places, self._faults = line, cells, places, faults

    def cell(self, field: str) -> str:
        place = self._places.get(field)
        text = self._cells[place] if place is not None and place < len(self._cells) else ""
        return "".join(letter for letter in text if letter.isprintable()).strip()

    def number(self) -> str:
        text = unicodedata.normalize("NFKC", self.cell("number"))
        if not NUMBER.fullmatch(text):
            self._faults.add(self._line, "bad_number" if text else "no_number")
        return text

    def phone(self) -> str:
        text = unicodedata.normalize("NFKC", self.cell("phone"))
        if text and not PHONE.fullmatch(text):
            self._faults.add(self._line, "bad_phone")
        return re.sub(r"[ \-()]", "", text)

    def day(self, field: str, latest: date) -> date | None:
        text = self.cell(field)
        if not text or text in ("-", "/", "无", "在职"):
            return None
        day = parse_day(text)
        if day is None or not EARLIEST <= day <= latest:
            self._faults.add(
                self._line, "bad_day" if day is None else "day_out", column=STAFF_COLUMNS.get(field, ("",))[0]
            )
            return None
        return day

    def score(self) -> int | None:
        text = unicodedata.normalize("NFKC", self.cell("score")).removesuffix("分").strip()
        if not text:
            return None
        try:
            value = round(float(text))
        except (ValueError, OverflowError):
            value = -1
        if not 0 <= value <= 100:
            self._faults.add(self._line, "bad_score")
            return None
        return value

    def result(self) -> Result | None:
        text = _plain(self.cell("result"))
        if not text:
            return None
        if text not in _RESULTS:
            self._faults.add(self._line, "bad_result")
            return None
        return _RESULTS[text]


def parse_day(text: str) -> date | None:
    """A day as people write it: 2026-11-02, 2026/11/2, 2026.11.2, 2026年11月2日, 20261102; None if it is none."""
    plain = unicodedata.normalize("NFKC", text).strip()
    found = _DAY.fullmatch(plain) or _SOLID_DAY.fullmatch(plain)
    try:
        return date(*(int(part) for part in found.groups()[:3])) if found else None
    except ValueError:
        return None


def _columns(
    sheet: Sheet, wanted: Mapping[str, tuple[str, ...]], needed: Sequence[str]
) -> tuple[dict[str, int], Sequence[Line]]:
    """Where each field stands, by the first line that names all that is needed; and the lines below it."""
    text, name = sheet.text, sheet.name
    aliases = {alias: field for field, names in wanted.items() for alias in names}
    best: dict[str, int] = {}
    for index, (line, cells) in enumerate(sheet.lines[:HEADER_WITHIN]):
        places: dict[str, int] = {}
        for place, cell in enumerate(cells):
            found = aliases.get(_plain(cell))
            if found and found in places:
                why = text("training.two_columns", column=wanted[found][0])
                raise UsageError(text("training.line", name=name, line=line, why=why))
            if found:
                places[found] = place
        if all(field in places for field in needed):
            if index + 1 == len(sheet.lines):
                raise UsageError(text("training.no_lines", name=name))
            return places, sheet.lines[index + 1 :]
        best = max(best, places, key=len)
    missing = [f"{wanted[field][0]} ({wanted[field][-2]})" for field in needed if field not in best]
    raise UsageError(text("training.no_columns", name=name, columns=", ".join(missing)))


def _plain(text: str) -> str:
    return re.sub(r"[\s_\-*:：()（）]+", "", unicodedata.normalize("NFKC", text)).casefold()
