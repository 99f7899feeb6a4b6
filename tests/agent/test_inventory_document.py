"""docs/scan-report.md says what the code does."""

import re
from pathlib import Path
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from agent.inventory.document import item_document
from agent.inventory.paths import escape, file_of, shown_path, unescape
from agent.inventory.records import State
from agent.inventory.subjects import SUBJECTS, unit_of
from config.schema import ItemKind
from config.text import load_packs
from scanners.exports import load_exports
from scanners.records import Finding, Item, Nature, Reason, Status, Subject

REPORT = (Path(__file__).parents[2] / "docs" / "scan-report.md").read_text(encoding="utf-8")


def section(title):
    return REPORT.split(f"### {title}\n")[1].split("\n#")[0]


def first_column(text):
    return set(re.findall(r"^\| `([a-z_0-9]+)`", text, re.MULTILINE))


def test_every_kind_status_reason_and_state_is_in_the_reference():
    for word in (*get_args(ItemKind), *get_args(Status), *(reason for reason in get_args(Reason) if reason),
                 *get_args(State), *get_args(Nature), *get_args(Subject)):  # fmt: skip
        assert f"`{word}`" in REPORT, word


def test_the_keys_of_an_item_and_of_a_finding_are_those_of_the_reference():
    finding = Finding(entity="PERSON", count=1, distinct=1, confidence=1.0)
    document = item_document(Item(path=b"/\xff", kind="csv", status="read", findings=(finding,)), None, 0)
    assert set(document) == first_column(section("An item"))
    assert set(document["findings"][0]) == first_column(section("A finding"))


def test_every_kind_reason_level_state_and_subject_has_words():
    packs = load_packs()
    for reason in filter(None, get_args(Reason)):
        assert {f"scan.reason_{reason}", f"scan.advice_{reason}"} <= set(packs)
    assert {f"scan.kind_{kind}" for kind in get_args(ItemKind)} <= set(packs)
    assert {f"scan.level_{level}" for level in (1, 2, 3, 4)} <= set(packs)
    subjects = {subject for subject, _pattern in SUBJECTS} | {export.id for export in load_exports()[0]}
    subjects |= {f"{platform}_orders" for platform in load_exports()[1]}
    assert {f"scan.place_{subject}" for subject in subjects} <= set(packs)
    assert {f"scan.count_{unit_of(subject)}" for subject in subjects} - {"scan.count_people"} <= set(packs)
    assert {f"inventory.state_{state}" for state in get_args(State)} <= set(packs)


def test_every_entity_that_has_a_detector_has_a_name_for_people():
    from scanners.detectors import DETECTORS

    for detector in DETECTORS:
        assert f"scan.entity_{detector.entity}" in load_packs(), detector.entity


@given(st.binary(max_size=40))
def test_an_escaped_name_comes_back_and_has_no_marks(name):
    assert unescape(escape(name)) == name
    assert not set(escape(name)) & set(b"!#")


@given(st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=20), st.sampled_from("!#"))
def test_what_lies_in_a_file_belongs_to_that_file_whatever_its_name(name, mark):
    file = f"/srv/{name}".encode()
    inside = shown_path(file + mark.encode() + b"part%23", file).decode()
    assert file_of(inside) == file_of(shown_path(file, None).decode()) == escape(file).decode()
