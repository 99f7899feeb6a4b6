"""Ids stay as they are in a text whose values are masked."""

from collections.abc import Callable

import pytest

from central.people.accounts import new_person_id
from config.numbering import fresh_letters
from containment.quarantine import manual_id
from scanners.masking import mask_text


@pytest.mark.parametrize(
    "make",
    [fresh_letters, lambda: fresh_letters(12), lambda: f"M{fresh_letters(12)}.1", manual_id, new_person_id],
    ids=["short", "long", "message", "quarantine by hand", "person"],
)
def test_no_mask_takes_an_id_for_a_number(make: Callable[[], str]) -> None:
    made = [make() for _ in range(300)]

    assert [mask_text(one) for one in made] == made
