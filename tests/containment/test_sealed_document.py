"""The page that lays down the format says what the code does."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from config.identity import Identity, make_identity
from containment import metadata as meta
from containment.core import LARGEST, MAGIC, read_core
from containment.keyring import Keyring
from containment.keys import OuterKey
from containment.sealed import seal
from containment.slots import SLOT, read_slots
from containment.streaming import HEADER, SEGMENT

PAGE = (Path(__file__).parents[2] / "docs" / "format-sealed-v1.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("outer", [None, OuterKey(key_id="incident-1", key=bytes(32))])
def test_every_offset_of_the_page_is_where_the_code_puts_it(tmp_path: Path, outer: OuterKey | None):
    keyring = Keyring(tmp_path)
    keyring.adopt(make_identity("recovery").public, make_identity("hq").public)
    source, target = os.memfd_create("s"), os.memfd_create("t")
    os.write(source, b"content")
    seal(source, target, meta.capture(source, b"/x"), keyring, outer)
    core = read_core(target)
    slot = read_slots(target, core.slots_at, core.digest)[0]
    data = os.pread(target, 1 << 20, 0)
    os.close(source)
    os.close(target)
    rows = dict(re.findall(r"^\| (\d+) \| \d+ \| ([^|:,]+)", PAGE, re.MULTILINE))
    name = len(core.outer_key_id.encode())
    assert rows["16"].startswith("file id")
    assert data[16:32] == core.file_id
    assert rows["32"].startswith("key commitment")
    assert data[32:64] == core.commitment
    assert rows["64"].startswith("signer")
    assert data[64:96] == keyring.public_key
    assert data[96] == name
    length = int.from_bytes(data[12:16], "big")
    assert length == 165 + name + len(core.metadata)
    assert "C = 165 + N + M" in PAGE
    assert slot is not None
    assert len(slot.file_key) == (88 if outer else 60)
    assert data[core.slots_at : core.slots_at + 4] == b"WRAP"
    assert data[core.slots_at + 12 : core.slots_at + 28] == slot.epoch_id
    assert {len(wrap) for wrap in slot.wraps.values()} == {1168}
    assert not any(data[core.slots_at + SLOT : core.slots_at + 2 * SLOT])
    assert data[core.body_at] == HEADER == 0x28


def test_figures_and_example_of_the_page_are_those_of_the_code():
    assert " ".join(f"{byte:02X}" for byte in MAGIC) in PAGE
    assert f"at most {LARGEST}" in PAGE
    assert f"ciphertext segments of {SEGMENT} bytes" in PAGE
    example = Identity("recovery", bytes(range(32))).sheet()
    assert "".join(f"    {line}\n" for line in example.splitlines()) in PAGE
