"""Columns at once give what cells one by one give, however oddly cells are written."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from config.schema import DetectSettings
from scanners.cell_values import NOTHING, judge_cell
from scanners.cells import ByteGrid, Cells, Grid, ValueGrid
from scanners.columns import Column
from scanners.detectors import DETECTORS
from scanners.distinct import Fingerprinted, packed
from scanners.engine import Analyser
from scanners.fingerprints import LONGEST, Fingerprints
from scanners.forms import NATURES, NOBODY, UNKNOWN, form_of, judge_column
from scanners.records import Finding, Place, Rows, Subject
from scanners.row_persons import RowPersons
from scanners.tabular import Counting, Table, Tables
from scanners.tally import IDENTIFIERS, Batch, Tally, Value

KEY = b"run"
ENTITIES = ("PERSON", "ADDRESS", *(detector.entity for detector in DETECTORS))
ODD = (
    "", " ", "\t", "无", "NULL", "n/a", "--", "0", "\\N", "未知", "*", "a\0b", "\ud800x", "１３８００００１１１１",
    "　无　", "x" * 127, "测" * 43, "a\u200bb", "Ａbc", "·", "\x85", "\u2003a", "\ufeff13800001111", "İ", "null ",
    "x" * 2000,
)  # fmt: skip
PLAIN = {
    "PERSON": ("张测试", "李测", "欧阳测试", "John Smith", "张 测试", "李*四", "买买提·测试", "O'Neil", "王样例 "),
    "ADDRESS": ("上海市浦东新区测试路12号", "样例街3号 5栋", "12 Test Street", "（后门）测试路1号", "测试路*号",
                "测试" * 20),
    "PHONE_NUMBER": (
        "13800001111", "138 0000 1111", "138-0000-1111", "+8613800001111", "86-13800001111", "008613800001111",
        "021-61234567", "(021)61234567", "0571-8765432-1", "01061234567", "4008001234", "400-800-1234", "8001234567",
        "138****1111", "+86 138****1111", "13800001111转1234", "13800001111,1234", "13800001111-1234", "61234567",
        "13800001111ext2", "13800001111.0", "8610123456789", "861061234567", "13800001111/13900002222", "1380000111",
        "12345", "86", "***", "+1 212 555 0100", "12800001111", "86 12345678901", "0086-10-61234567", "00123456789",
        "\t13800001111",
    ),
    "EMAIL_ADDRESS": ("ceshi@qq.com", "CeShi@QQ.com", "ce shi@qq.com", "c***@qq.com", "测试@example.com",
                      "ceshi@qq.com "),
    "CN_RESIDENT_ID": ("110101199003071234", "11010119900307123x", "'110101199003071234", "110101********1234",
                       "１１0101"),
    "CN_LICENSE_PLATE": ("京A12345", "沪a·12345", "京A·12345", "京 A12345", "粤B*2345"),
    "DATE_OF_BIRTH": ("1990-01-01", "1990/1/1", "1990年1月1日", "19900101", "1990-01-01 00:00:00",
                      "1990.01.01", "199-01-011", "01/02/1990", "1990-1-011", "1990年十月", "1990-01-01 00:00"),
    "WECHAT_ID": ("ceshi_123", "CeShi-1", "wxid_abc"),
    "LOCATION_COORDINATES": ("31.23", "121.47,31.23", "-0.5"),
    "CREDENTIAL": ("abc12345", "PassWord", "a*c", "密码", "e10adc3949ba59abbe56e057f20f883e"),
}  # fmt: skip


def values_of(entity: str, random_: random.Random, count: int) -> list[str]:
    plain = PLAIN.get(entity, ("6222021234567890123", "622202 1234567890123", "E12345678", "10.0.0.1", "::1", "g12a"))
    made = []
    for _ in range(count):
        kind = random_.random()
        value = random_.choice(plain) if kind < 0.8 else random_.choice(ODD)
        if kind < 0.1:
            place = random_.randrange(len(value) + 1)
            value = value[:place] + random_.choice("0aZ*-. \t\0，＊１\u200b·()") + value[place:]
        made.append(value)
    return made


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_column_at_once_is_its_cells_one_by_one(entity: str) -> None:
    random_, fingerprints = random.Random(entity), Fingerprints(KEY)
    values = values_of(entity, random_, 4_000)
    found, codes = judge_column(entity, Cells.of(values), fingerprints)
    judged = 0
    for value, fingerprint, code in zip(values, found.tolist(), codes.tolist(), strict=True):
        if code == UNKNOWN:
            continue
        alone = judge_cell(Column(entity=entity, score=0.9), value)
        expected = (
            (NOBODY, 0) if alone is None else (NATURES.index(alone.nature), fingerprints.of(entity, alone.normal))
        )
        assert (code, fingerprint) == expected, repr(value)
        judged += 1
    assert judged > len(values) / 4 or form_of(entity) is None


def add_one(tally: Tally, value: Value, column: str, line: int, subject: Subject) -> int:
    """One value by itself; its fingerprint."""
    prints = np.array([tally.fingerprints.of(value.entity, value.normal)], np.uint64)
    batch = Batch(
        entity=value.entity, nature=value.nature, score=value.score, fingerprints=prints, texts=[value.text]
    )  # fmt: skip
    tally.add_many(batch, Place(table="t", column=column), line, subject)
    return int(prints[0])


def count_slowly(
    columns: Sequence[Column], names: Sequence[str], rows: Sequence[Sequence[str]], read: Callable[[str], list[Value]]
) -> Tally:
    """One row after the other, by the definition."""
    tally = Tally(Fingerprints(KEY))
    for line, row in enumerate(rows, 1):
        keys: dict[str, int] = {}
        address = None
        for column, name, cell in zip(columns, names, row, strict=True):
            if column.mixed and cell.strip().lower() not in NOTHING:
                for value in read(cell):
                    fingerprint = add_one(tally, value, name, line, column.subject)
                    if value.person:
                        keys.setdefault(value.entity, fingerprint)
            value = judge_cell(column, cell) if column.entity else None
            if value is None:
                continue
            fingerprint = add_one(tally, value, name, line, column.subject)
            if value.person:
                keys.setdefault(value.entity, fingerprint)
                address = fingerprint if value.entity == "ADDRESS" else address
        strongest = next((entity for entity in IDENTIFIERS if entity in keys), None)
        if strongest == "PERSON" and address is not None:
            pair = np.array([[keys["PERSON"]], [address]], np.uint64)
            tally.in_rows.add_many(tally.fingerprints.of_pairs("PERSON+ADDRESS", pair[0], pair[1]))
        elif strongest:
            tally.in_rows.add_many(np.array([keys[strongest]], np.uint64))
    return tally


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: (str(f.place), f.entity, f.nature))


@pytest.mark.parametrize("seed", range(6))
def test_a_table_at_once_is_its_rows_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random_ = random.Random(seed)
    entities = [*random_.sample(ENTITIES, 4), random_.choice(ENTITIES)]
    columns = [Column(entity=entity, score=0.8, subject="customer") for entity in entities] + [Column()]
    columns[1] = Column(mixed=True, subject="customer")
    names = tuple(f"c{index}" for index in range(len(columns)))
    kept = random_.random()
    data = [[v if random_.random() < kept else "" for v in values_of(entity, random_, 2_500)] for entity in entities]
    rows = tuple(zip(*data, ["13800001111"] * 2_500, strict=True))

    def decide(table: str, given: Sequence[str], *_: object) -> list[Column]:
        return columns[: len(given)]

    monkeypatch.setattr("scanners.tabular.decide", decide)
    item = Analyser(DetectSettings(), names=False, run_key=KEY).begin("t", "table")
    tally = Tally(Fingerprints(KEY))
    tables = Tables(Counting(tally=tally, threshold=0.5, read_cells=item.read_cells, finds_names=True))
    for start in range(0, len(rows), 700):
        tables.feed(Rows(table="t", columns=names, rows=rows[start : start + 700], first_line=start + 1))
    tables.finish()
    slow = count_slowly(columns, names, rows, lambda cell: item.read_cells([cell])[0])
    assert ordered(tally.findings()) == ordered(slow.findings())
    assert tally.persons()[0] == slow.persons()[0]
    assert tally.persons()[1] == slow.persons()[1]


def test_fingerprints_of_an_array_are_those_of_each_value() -> None:
    random_, fingerprints = random.Random(3), Fingerprints(KEY)
    values = [random_.randbytes(n) for n in (0, 1, 13, 14, 15, 30, 31, 46, 62, 63, 126, 500, LONGEST)]
    blocks = np.zeros((len(values), LONGEST + 2), np.uint8)
    for row, value in enumerate(values):
        blocks[row, 2 : 2 + len(value)] = list(value)
    many = fingerprints.of_blocks("EMAIL_ADDRESS", blocks, np.array([len(value) for value in values]))
    assert many.tolist() == [fingerprints.of_bytes("EMAIL_ADDRESS", value) for value in values]


def test_fingerprints_differ_by_value_length_entity_and_run() -> None:
    one, other = Fingerprints(KEY), Fingerprints(b"another run")
    values = ["", "\0", "\0\0", "a" * 13, "a" * 14, "a" * 14 + "\0", "a" * LONGEST, "a" * (LONGEST + 1), "b" * 5000]
    made = {f.of(entity, value) for f in (one, other) for entity in ("PERSON", "ADDRESS") for value in values}
    assert len(made) == 2 * 2 * len(values)


def test_running_text_is_read_together_as_it_is_cell_by_cell() -> None:
    random_ = random.Random(11)
    parts = (
        "张测试", "收货人：李测试", "13800001111", "电话", "生日", "1990-01-01", "订单号", "2024051700001111", "放门口",
        "转1234", "地址：上海市测试路12号", "\n", "\u200b", "a@example.com", "138****1111",
        "密码:", "abc123", "，", " ",
    )  # fmt: skip
    cells = ["".join(random_.choices(parts, k=random_.randint(0, 5))) for _ in range(400)]
    for names in (False, True):
        item = Analyser(DetectSettings(), names=names, run_key=KEY).begin("t", "table")
        together = item.read_cells(cells)
        alone = [item.read_cells([cell])[0] for cell in cells]
        assert together == alone
        assert sum(map(len, alone)) > 100


def test_columns_that_fill_later_or_come_later_are_decided_then() -> None:
    item = Analyser(DetectSettings(), names=False, run_key=KEY).begin("member", "table")
    for start in range(0, 4_000, 500):
        rows = tuple((str(n), f"138{n:08d}" if n >= 3_000 else "") for n in range(start, start + 500))
        item.feed(Rows(table="member", columns=("id", "mobile"), rows=rows, first_line=start + 1))
    wider = tuple(("1", "", f"ceshi{n}@example.com") for n in range(10))
    item.feed(Rows(table="member", columns=("id", "mobile", "email"), rows=wider, first_line=4_001))
    item.feed(Rows(table="member", columns=("id", "mobile"), rows=(("1", "13900001111"),), first_line=4_011))
    found = {f.entity: (f.count, f.place.line) for f in item.finish().findings}
    assert found == {"PHONE_NUMBER": (1_001, 3_001), "EMAIL_ADDRESS": (10, 4_001)}


def test_a_long_cell_of_a_column_that_holds_nothing_is_read_in_full() -> None:
    item = Analyser(DetectSettings(), names=False, run_key=KEY).begin("dish", "table")
    rows = [(str(n), f"辣度{n % 3}") for n in range(3_000)]
    rows[2_500] = ("2500", "不要香菜，" * 20 + "电话13800001111")
    item.feed(Rows(table="dish", columns=("id", "taste"), rows=rows, first_line=2))
    found = {f.entity: (f.count, f.place.column, f.place.line) for f in item.finish().findings}
    assert found == {"PHONE_NUMBER": (1, "taste", 2_502)}


def test_a_cell_longer_than_a_chunk_is_read_to_its_end() -> None:
    item = Analyser(DetectSettings(), names=False, run_key=KEY).begin("t", "table")
    long = "不要香菜。" * 40_000 + "电话13800001111"
    (short, all_of_it, empty) = item.read_cells(["电话13900002222", long, ""])
    assert [value.normal for value in short + all_of_it + empty] == ["13900002222", "13800001111"]


def test_a_phone_written_as_a_float_is_that_phone() -> None:
    value = judge_cell(Column(entity="PHONE_NUMBER", score=0.9), "13800001111.0")
    assert value is not None
    assert value.normal == "13800001111"


def test_whose_data_it_is_stands_in_the_findings() -> None:
    item = Analyser(DetectSettings(), names=False, run_key=KEY).begin("member", "table")
    numbers = ("13800001111", "13900002222", "138****3333", "4008001234")
    item.feed(Rows(table="member", columns=("手机号",), rows=tuple((n,) for n in numbers)))
    found = item.finish()
    natures = {f.nature: (f.count, f.subject) for f in found.findings}
    assert natures == {"personal": (2, "customer"), "masked": (1, "customer"), "organisation": (1, "customer")}
    assert found.persons == 2


def grid_of(rows: Sequence[tuple[str, ...]]) -> ByteGrid:
    cells = Cells.of([cell for row in rows for cell in row])
    widths = np.array([len(row) for row in rows])
    return ByteGrid(cells.buffer, cells.starts, cells.ends, widths)


@pytest.mark.parametrize("grid", [grid_of, ValueGrid])
def test_a_grid_gives_its_columns(grid: Callable[[list[tuple[str, ...]]], Grid]) -> None:
    rows = [("1", "测试", ""), ("2", "", "\ud800"), ("3", "x", "y")]
    made = grid(rows)
    assert list(made) == rows  # type: ignore[call-overload]
    for index in range(5):
        cells = made.column(index)
        assert [cells.text(row) for row in range(3)] == [row[index] if index < 3 else "" for row in rows]


def test_ragged_rows_are_filled_up() -> None:
    made = grid_of([("1",), ("2", "a", "b"), ("3", "c")])
    assert list(made) == [("1", "", ""), ("2", "a", "b"), ("3", "c", "")] == [*made[:]]
    assert made.widened(4)[1] == ("2", "a", "b", "")
    assert list(made.widened(1)) == [("1",), ("2",), ("3",)]
    other = made.replaced(np.array([0, 2]), [["测", "", "", "试"], []])
    assert list(other) == [("测", "", "", "试"), ("2", "a", "b", ""), ("", "", "", "")]
    assert [other.column(0).text(row) for row in range(3)] == ["测", "2", ""]
    assert [made.column(2).text(row) for row in range(3)] == ["", "b", ""]


def test_rows_of_a_megabyte_are_not_held_back_by_the_thousand() -> None:
    item = Analyser(DetectSettings(), names=False, run_key=KEY).begin("member", "table")
    for line in range(1, 21):
        item.feed(
            Rows(table="member", columns=("手机号", "blob"), rows=(("13800001111", "x" * 1_000_000),), first_line=line)
        )
    (table,) = item.tables._known["member", Place()]
    assert table.decided
    assert len(table.held) == 0
    assert [(f.entity, f.count) for f in item.finish().findings] == [("PHONE_NUMBER", 20)]


def test_persons_beyond_the_keys_that_are_kept_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanners.tally.MOST_KEYS", 1_000)
    keys = np.random.default_rng(1).integers(0, 1 << 63, 60_000, dtype=np.uint64)
    tally = Tally(Fingerprints(KEY))
    for _ in range(2):
        for start in range(0, len(keys), 700):
            tally.in_rows.add_many(keys[start : start + 700])
    tally.in_rows.add_many(keys[:1])
    persons, kept = tally.persons()
    assert abs(persons / 60_000 - 1) < 0.03
    assert len(kept) == 1_000
    assert kept <= set(keys.tolist())


def test_keys_are_packed_in_order_and_at_most_so_many() -> None:
    for keys in ({5, 1 << 63, 7}, Fingerprinted.of([5, 7, 1 << 63, 7])):
        assert packed(keys, 2) == bytes(7) + b"\x05" + bytes(7) + b"\x07"
        assert packed(keys, 9).endswith(b"\x80" + bytes(7))
    assert 7 in keys
    assert 6 not in keys
    assert "5" not in repr(keys)


def test_small_tables_that_take_turns_are_counted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    analyser = Analyser(DetectSettings(), names=False, run_key=KEY)
    items = [analyser.begin(f"member{n}", "table") for n in range(3)]
    batches: list[int] = []
    count = Table.count
    monkeypatch.setattr(Table, "count", lambda table, grid, line: (batches.append(len(grid)), count(table, grid, line)))
    for line in range(1, 5_001):
        for number, item in enumerate(items):
            rows = (("13800001111", "") if line % 2 else (f"139{line:08d}", "x"),)
            item.feed(Rows(table=f"member{number}", columns=("手机号", "b"), rows=rows, first_line=line))
    for item in items:
        (finding,) = item.finish().findings
        assert (finding.count, finding.distinct, finding.place.line) == (5_000, 2_501, 1)
    assert len(batches) == 3 * 5
    assert analyser.held.bytes == 0


def test_many_small_tables_hold_back_no_more_than_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanners.held_rows.OF_ALL", 100_000)
    analyser = Analyser(DetectSettings(), names=False, run_key=KEY)
    items = [analyser.begin(f"member{n}", "table") for n in range(50)]
    for item in items:
        rows = tuple((f"138{n:08d}", "x" * 300) for n in range(0, 10_000, 700))
        item.feed(Rows(table="member", columns=("手机号", "b"), rows=rows))
    assert analyser.held.bytes <= 100_000
    assert [item.finish().findings[0].count for item in items] == [15] * 50


def test_the_first_number_of_a_row_is_the_persons_and_the_last_address() -> None:
    fingerprints = Fingerprints(KEY)
    one, two = np.array([11, 12], np.uint64), np.array([21, 22], np.uint64)
    all_rows = np.ones(2, np.bool_)
    rows = RowPersons(2)
    rows.add("PERSON", one, all_rows)
    for addresses in (one, two):
        rows.add("ADDRESS", addresses, all_rows)
    assert rows.keys(fingerprints).tolist() == fingerprints.of_pairs("PERSON+ADDRESS", one, two).tolist()
    rows.add_hits("PHONE_NUMBER", np.array([0, 0, 1]), np.array([31, 32, 33], np.uint64))
    rows.add_hits("PHONE_NUMBER", np.array([0, 1]), np.array([41, 42], np.uint64))
    rows.add("PHONE_NUMBER", two, all_rows)
    assert rows.keys(fingerprints).tolist() == [31, 33]
    rows.add_hits("IP_ADDRESS", np.array([0]), one[:1])
    assert rows.keys(fingerprints).tolist() == [31, 33]
