"""The sheet survives a pen, a keyboard and a hurry."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import UsageError
from config.identity import (
    PUBLIC_BYTES,
    Identity,
    decode_public,
    encode_public,
    key_id,
    make_identity,
    parse_identity,
    read_line,
)
from containment.keys import SUITE, LockedSecret, Recipient, wrap_epoch

FIXED = Identity("recovery", bytes(range(32)))


def test_the_same_seed_gives_the_same_key_for_ever():
    """Derivation is part of the format: a change would make every sheet worthless."""
    assert FIXED.sheet() == (
        "cloche-recovery-1\n"
        "1  000G-40R4-0M30-FZEP\n"
        "2  104G-M2RC-1M70-YS4B\n"
        "3  208H-44RM-2MB1-F939\n"
        "4  30CH-M6RW-3MF1-Z2YK\n"
        "id 21c9c29d00ada4ce\n"
    )
    assert len(FIXED.public) == PUBLIC_BYTES


@settings(max_examples=25, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), kind=st.sampled_from(["recovery", "hq"]))
def test_a_sheet_reads_back(seed: bytes, kind):
    identity = Identity(kind, seed)
    assert parse_identity(identity.sheet()).seed == seed
    assert parse_identity(sloppy(identity)).seed == seed


def sloppy(identity: Identity) -> str:
    """As somebody types it: small letters, o for 0, l for 1, blanks anywhere, a note, lines out of order."""
    lines = [
        f" {number}. {line.lower().replace('0', 'o').replace('1', 'l').replace('-', '  ')}"
        for number, line in enumerate(identity.lines(), start=1)
    ]
    return "\n".join(["# safe in the office", f"Cloche-{identity.kind}-1", *reversed(lines)])


@settings(max_examples=200)
@given(position=st.integers(0, 18), letter=st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"), line=st.integers(1, 4))
def test_one_wrong_letter_is_found_in_its_line(position: int, letter: str, line: int):
    right = FIXED.lines()[line - 1]
    if right[position] in ("-", letter):
        return
    with pytest.raises(UsageError, match=f"line {line} is mistyped"):
        read_line("recovery", line, right[:position] + letter + right[position + 1 :])


def test_swapped_lines_missing_lines_and_foreign_sheets_are_told_apart():
    lines = FIXED.lines()
    with pytest.raises(UsageError, match="line 1 is mistyped"):
        parse_identity(f"cloche-recovery-1\n1 {lines[1]}\n2 {lines[0]}\n3 {lines[2]}\n4 {lines[3]}\n")
    with pytest.raises(UsageError, match="lacks its line 2, 4"):
        parse_identity(f"cloche-recovery-1\n1 {lines[0]}\n3 {lines[2]}\n")
    with pytest.raises(UsageError, match="line 1 is mistyped"):
        parse_identity(FIXED.sheet().replace("recovery", "hq"))
    with pytest.raises(UsageError, match="id line"):
        parse_identity(FIXED.sheet().replace(FIXED.id, "0" * 16))
    with pytest.raises(UsageError, match="not a key"):
        parse_identity("hello")


def test_a_seed_is_in_no_repr():
    identity = make_identity("recovery")
    assert identity.seed.hex() not in repr(identity)
    assert str(identity.seed) not in repr(identity)


def test_a_public_key_travels_as_text():
    assert decode_public(encode_public(FIXED.public)) == FIXED.public
    for wrong in ("???", "AAAA", encode_public(FIXED.public)[:-8]):
        with pytest.raises(UsageError):
            decode_public(wrong)


def test_hpke_wraps_are_as_long_as_the_format_says_and_bound_to_their_epoch():
    wraps = wrap_epoch(b"e" * 16, b"k" * 32, [Recipient(kind="recovery", public=FIXED.public)])
    wrap = wraps[key_id(FIXED.public)]
    assert len(wrap) == 1168
    assert SUITE.decrypt(wrap, FIXED.private_key, info=b"cloche epoch v1 " + b"e" * 16) == b"k" * 32
    with pytest.raises(Exception):  # noqa: B017, PT011  whatever the library raises for a wrong info
        SUITE.decrypt(wrap, FIXED.private_key, info=b"cloche epoch v1 " + b"f" * 16)


def test_a_wiped_secret_is_gone():
    secret = LockedSecret(b"s" * 32)
    assert secret.reveal() == b"s" * 32
    assert "ssss" not in repr(secret)
    secret.wipe()
    assert secret.reveal() == bytes(32)
