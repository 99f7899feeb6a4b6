"""Vectors that would not notice a wrong weight, length, range or score are no vectors.

Each test changes one fact of a detector at a time and shows that at least one line of its table then fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from types import ModuleType
from typing import Any

import pytest

from config.patterns import PARSER
from scanners.detectors import (
    Detector,
    cn_foreigner_id,
    cn_license_plate,
    cn_passport,
    cn_resident_id,
    cn_travel_permit,
    credit_card,
    email_address,
    hk_id_card,
    iban_code,
    ip_address,
    location_coordinates,
    mo_id_card,
    phone_number,
    tw_national_id,
)
from scanners.masking import by_entity

Tables = dict[str, list[tuple[str, str]]]
Agreement = Callable[[Detector, tuple[str, str]], bool]
Mutant = tuple[str, ModuleType, str, Any]
ACCEPTED = 0.5


class Checker:
    """Finds mutants that no vector notices."""

    def __init__(self, tables: Tables, agreement: Agreement, patch: pytest.MonkeyPatch) -> None:
        self.tables = tables
        self.agreement = agreement
        self.patch = patch

    def survivors(self, entity: str, mutants: Iterator[Mutant]) -> list[str]:
        """Names of mutants under which all vectors of `entity` still agree. The last killer is asked first."""
        vectors = list(self.tables[entity])
        detector = by_entity()[entity]
        assert all(self.agreement(detector, vector) for vector in vectors)
        alive = []
        for name, module, attribute, value in mutants:
            with self.patch.context() as patch:
                patch.setattr(module, attribute, value)
                for at, vector in enumerate(vectors):
                    if not self.agreement(detector, vector):
                        vectors.insert(0, vectors.pop(at))
                        break
                else:
                    alive.append(name)
        return alive


@pytest.fixture
def checker(tables: Tables, agreement: Agreement, monkeypatch: pytest.MonkeyPatch) -> Checker:
    return Checker(tables, agreement, monkeypatch)


def changed(values: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


def weights(module: ModuleType, attribute: str = "WEIGHTS") -> Iterator[Mutant]:
    """Each weight one more."""
    values = getattr(module, attribute)
    for at, weight in enumerate(values):
        yield f"{attribute}[{at}]", module, attribute, changed(values, at, weight + 1)


def flipped(score: float) -> float:
    return ACCEPTED - 0.01 if score >= ACCEPTED else ACCEPTED


def scores(module: ModuleType, attribute: str) -> Iterator[Mutant]:
    """Each score on the other side of what is accepted: a tuple, or tuples by key."""
    values = getattr(module, attribute)
    if isinstance(values, float):
        yield attribute, module, attribute, flipped(values)
    elif isinstance(values, tuple):
        for at, score in enumerate(values):
            yield f"{attribute}[{at}]", module, attribute, changed(values, at, flipped(score))
    else:
        for key, triple in values.items():
            for at, score in enumerate(triple):
                yield (
                    f"{attribute}[{key}][{at}]",
                    module,
                    attribute,
                    values | {key: changed(triple, at, flipped(score))},
                )


def members(module: ModuleType, attribute: str, more: set[str]) -> Iterator[Mutant]:
    """A set with each of its members missing, and with each of `more` in it."""
    values = getattr(module, attribute)
    for value in sorted(values):
        yield f"{attribute} without {value}", module, attribute, values - {value}
    for value in sorted(more - values):
        yield f"{attribute} with {value}", module, attribute, values | {value}


def test_resident_ids(checker: Checker) -> None:
    def mutants() -> Iterator[Mutant]:
        yield from weights(cn_resident_id)
        for at in range(11):
            wrong = "1" if cn_resident_id.CHECK[at] == "0" else "0"
            yield (
                f"CHECK[{at}]",
                cn_resident_id,
                "CHECK",
                cn_resident_id.CHECK[:at] + wrong + cn_resident_id.CHECK[at + 1 :],
            )
        yield from scores(cn_resident_id, "SCORES")
        yield from scores(cn_resident_id, "SHORT_SCORES")
        yield from scores(cn_resident_id, "NO_BIRTHDAY")
        yield from scores(cn_resident_id, "IN_ROW")
        yield from scores(cn_resident_id, "MASKED_SCORE")
        yield "REGIONS", cn_resident_id, "REGIONS", frozenset()
        yield "ABOLISHED", cn_resident_id, "ABOLISHED", frozenset()
        yield "OLDEST earlier", cn_resident_id, "OLDEST", 1899
        yield "OLDEST later", cn_resident_id, "OLDEST", 1901
        yield "any date", cn_resident_id, "is_date", lambda _year, _month, _day: True
        yield (
            "the future",
            cn_resident_id,
            "is_date",
            lambda year, month, day: bool(date(year, min(12, month), min(28, day))),
        )

    assert checker.survivors("CN_RESIDENT_ID", mutants()) == []


def luhn_with(odd: Callable[[int], int], divisor: int = 10, first: int = 1) -> Callable[[str], bool]:
    def passes(digits: str) -> bool:
        values = [int(d) for d in reversed(digits)]
        return sum(odd(v) if i % 2 == first else v for i, v in enumerate(values)) % divisor == 0

    return passes


# Ranges whose upper neighbour is another range of the same kind, or no card's at all: one more changes nothing.
BESIDE_OTHERS = (39, 649, 69, 99)


def test_cards(checker: Checker) -> None:
    def mutants() -> Iterator[Mutant]:
        def right(value: int) -> int:
            return value * 2 - 9 if value > 4 else value * 2

        yield "Luhn from the other end", credit_card, "passes_luhn", luhn_with(right, first=0)
        yield "Luhn without nines", credit_card, "passes_luhn", luhn_with(lambda v: v * 2)
        yield "Luhn modulo 11", credit_card, "passes_luhn", luhn_with(right, divisor=11)
        yield "Luhn, five kept", credit_card, "passes_luhn", luhn_with(lambda v: v * 2 - 9 if v > 5 else v * 2)
        yield "no articles", credit_card, "is_article", lambda _digits: False
        yield "no dated numbers", credit_card, "DATED", re.compile("x")
        table = credit_card.ISSUERS
        for at, issuer in enumerate(table):
            yield f"{issuer} gone", credit_card, "ISSUERS", (*table[:at], *table[at + 1 :])
            yield f"{issuer} dense", credit_card, "ISSUERS", changed(table, at, issuer._replace(dense=not issuer.dense))
            for low, high in ((-1, 0), (1, 0), (0, 1), (0, -1)):
                moved = issuer._replace(low=issuer.low + low, high=issuer.high + high)
                if high == 1 and (issuer.high in BESIDE_OTHERS and 14 not in issuer.lengths):
                    continue
                yield f"{issuer} by {low}, {high}", credit_card, "ISSUERS", changed(table, at, moved)
            for length in issuer.lengths:
                fewer = issuer._replace(lengths=issuer.lengths - {length})
                yield f"{issuer} without {length}", credit_card, "ISSUERS", changed(table, at, fewer)
        for attribute in ("SCORES", "GROUPED_SCORES", "DOUBTFUL_SCORES", "MASKED_SCORES"):
            yield from scores(credit_card, attribute)

    assert checker.survivors("CREDIT_CARD", mutants()) == []


def test_phones(checker: Checker) -> None:
    def mutants() -> Iterator[Mutant]:
        yield from members(phone_number, "SEGMENTS", {f"1{a}{b}" for a in range(3, 10) for b in range(10)})
        yield from members(phone_number, "LENT_SEGMENTS", {"138", "192"})
        for attribute in (
            "MOBILE_SCORES", "UNKNOWN_SCORES", "UNKNOWN_APART", "LED_SCORES", "ODD_SCORES",
            "LANDLINE_SCORES", "CLEAR_SCORES", "NOWHERE_SCORES", "SERVICE_SCORES", "SERVICE_GROUPED",
            "ABROAD_SCORES", "NO_COUNTRY_SCORES", "VIRTUAL_SCORES", "LENT_SCORES", "MASKED_SCORES",
        ):  # fmt: skip
            yield from scores(phone_number, attribute)

    assert checker.survivors("PHONE_NUMBER", mutants()) == []


AREAS = (
    "10 20-25 27-29 310-319 335 349-359 370-379 391-396 398 410-419 421 427 429 431-440 451-459 464 467-479 "
    "482-483 510-519 523 527 530-539 543 546 550-559 561-564 566 570-580 591-599 631-635 660 662-663 668 691-692 "
    "701 710-719 722 724 728 730-739 743-746 750-760 762-763 765-766 768-779 790-799 812-813 816-818 825-827 "
    "830-839 851-859 870-879 881 883 886-888 891-898 901-903 906 908-909 911-917 919 930-939 941 943 951-955 "
    "970-977 979 990-999 "
)


def test_area_codes_are_those_of_the_numbering_plan() -> None:
    bounds = [(part.split("-")[0], part.split("-")[-1]) for part in AREAS.split()]
    areas = {str(code) for low, high in bounds for code in range(int(low), int(high) + 1)}
    assert areas == phone_number.AREA_CODES


def test_ids_of_hong_kong_and_taiwan(checker: Checker) -> None:
    def hong_kong() -> Iterator[Mutant]:
        yield from weights(hk_id_card)
        yield "MISSING", hk_id_card, "MISSING", hk_id_card.MISSING + 1
        yield from scores(hk_id_card, "SCORES")

    def taiwan() -> Iterator[Mutant]:
        yield from weights(tw_national_id)
        letters = tw_national_id.LETTERS
        for at in range(len(letters) - 1):
            if at % 10 == 9:
                continue  # 19 and 20, 29 and 30 leave the same remainder: 1 + 9 * 9 and 2
            swapped = letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :]
            yield f"LETTERS[{at}]", tw_national_id, "LETTERS", swapped
        yield from scores(tw_national_id, "SCORES")

    def macau() -> Iterator[Mutant]:
        yield from scores(mo_id_card, "SCORES")
        yield from scores(mo_id_card, "BARE_SCORES")

    assert checker.survivors("HK_ID_CARD", hong_kong()) == []
    assert checker.survivors("TW_NATIONAL_ID", taiwan()) == []
    assert checker.survivors("MO_ID_CARD", macau()) == []


def test_foreigners_passports_and_permits(checker: Checker) -> None:
    def foreigners() -> Iterator[Mutant]:
        yield from scores(cn_foreigner_id, "NEW_SCORES")
        yield from scores(cn_foreigner_id, "OLD_SCORES")
        yield "COUNTRIES", cn_foreigner_id, "COUNTRIES", frozenset({"USA", "GBR", "JPN", "ABC"})
        yield "PROVINCES", cn_foreigner_id, "PROVINCES", cn_foreigner_id.PROVINCES | {"99"}
        yield "any date", cn_foreigner_id, "is_date", lambda _year, _month, _day: True

    def passports() -> Iterator[Mutant]:
        yield from scores(cn_passport, "SCORES")
        yield from scores(cn_passport, "DIGITS_ONLY_SCORES")

    assert checker.survivors("CN_FOREIGNER_ID", foreigners()) == []
    assert checker.survivors("CN_PASSPORT", passports()) == []
    assert checker.survivors("CN_TRAVEL_PERMIT", scores(cn_travel_permit, "SCORES")) == []


def test_account_numbers(checker: Checker) -> None:
    def remainder(divisor: int, rest: int) -> Callable[[str], bool]:
        def passes(number: str) -> bool:
            return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % divisor == rest

        return passes

    def mutants() -> Iterator[Mutant]:
        yield "modulo 96", iban_code, "passes_remainder", remainder(96, 1)
        yield "modulo 98", iban_code, "passes_remainder", remainder(98, 1)
        yield "remainder 0", iban_code, "passes_remainder", remainder(97, 0)
        yield from scores(iban_code, "SCORES")
        for country in ("GB", "DE", "FR", "NL", "CH", "NO", "MT", "ES", "IT", "BE", "SE"):
            for by in (-1, 1):
                moved = iban_code.LENGTHS | {country: iban_code.LENGTHS[country] + by}
                yield f"{country} by {by}", iban_code, "LENGTHS", moved

    assert checker.survivors("IBAN_CODE", mutants()) == []


def test_lengths_of_account_numbers_are_those_that_presidio_knows() -> None:
    from presidio_analyzer.predefined_recognizers.generic.iban_patterns import regex_per_country

    known = {c: PARSER.parse(p.replace("[ ]?", "")).getwidth()[1] for c, p in regex_per_country.items()}
    shorter = {"MU", "PS", "PT", "QA"}  # a group is missing there
    common = set(known) & set(iban_code.LENGTHS) - shorter
    assert len(common) > 60
    assert {c: iban_code.LENGTHS[c] for c in common} == {c: known[c] for c in common}


def test_plates_mail_addresses_and_places(checker: Checker) -> None:
    def plates() -> Iterator[Mutant]:
        for attribute in ("PROPER_SCORES", "FORBIDDEN_SCORES", "ODD_SCORES", "MASKED_SCORE"):
            yield from scores(cn_license_plate, attribute)
        yield "NEW_ENERGY", cn_license_plate, "NEW_ENERGY", re.compile("[A-Z0-9]{6}")

    def mail() -> Iterator[Mutant]:
        yield from scores(email_address, "SCORES")
        yield from scores(email_address, "LOOSE_SCORES")
        yield from members(email_address, "FILES", set())

    def places() -> Iterator[Mutant]:
        for attribute in ("SCORES", "CHINA_SCORES", "LONE_SCORE"):
            yield from scores(location_coordinates, attribute)
        yield "PRECISE", location_coordinates, "PRECISE", 4
        yield "CHINA", location_coordinates, "CHINA", ((-90.0, 90.0), (-180.0, 180.0))

    assert checker.survivors("CN_LICENSE_PLATE", plates()) == []
    assert checker.survivors("EMAIL_ADDRESS", mail()) == []
    assert checker.survivors("LOCATION_COORDINATES", places()) == []
    assert checker.survivors("IP_ADDRESS", scores(ip_address, "SCORES")) == []
