"""Values in plain form, judged all at once: mobiles, ids of eighteen characters, cards and addresses of mail.

These are nine in ten of what a list of members or a log holds. The answers are those of the detectors' own `find`:
segments, regions, issuers, words and scores are read from there, and the oracle test holds the two to each other. A
*clean* run has nothing at its sides that could belong to it (`scanners.places`); all else is asked one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanners.detectors import cn_resident_id, credit_card, email_address, phone_number
from scanners.detectors.base import Detector
from scanners.mails import PlainMails
from scanners.places import Places, Truths, digits_at, near_word, power_sum
from scanners.spots import Spots
from scanners.units import Positions, Units
from scanners.weighing import Weigher
from scanners.words import Hits

MOBILE_DIGITS: Final = 11
FEW: Final = 48  # so many values are weighed one by one sooner than the whole chunk is read for words
MONTHS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
Scores = NDArray[np.float64]  # a row a value: in an enemy's company, alone, in its own
NONE: Final = (0.0, 0.0, 0.0)
Rule = Callable[[Units, Places, Positions], Scores]  # scores of places, given their first six digits too


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Values of one detector that only the words around them have still to be heard about."""

    detector: Detector
    starts: Positions
    ends: Positions
    scores: Scores


class Judge:
    """Judges clean runs and plain addresses of mail for the detectors of these among some. Not safe for threads."""

    def __init__(self, detectors: Sequence[Detector], entities: Sequence[str], threshold: float) -> None:
        """Take the detectors, the names of entities that the answers are given in, and what counts."""
        self.entities = entities
        self.threshold = threshold
        self.rules = [(detector, RULES[type(detector)]) for detector in detectors if type(detector) in RULES]
        self.mail = next((d for d in detectors if type(d) is email_address.EmailAddress), None)
        self.plain_mails = PlainMails()
        judged = [detector for detector, _ in self.rules] + ([self.mail] if self.mail else [])
        self.numbers = {detector: number for number, detector in enumerate(judged)}
        self.weigher = Weigher([detector.context for detector in judged])

    def runs(self, units: Units, places: Places, spoken_for: Hits, lent: Hits) -> tuple[list[Claims], Places]:
        """What the clean places of a chunk may be, and the places that detectors must still be asked about.

        Args:
            units: the chunk.
            places: its places of numbers.
            spoken_for: the words that speak for any number.
            lent: the words that say that a telephone number is lent; its detector reads on there.
        """
        if not places.clean.any():
            return [], places
        near = near_word(spoken_for, places.starts, places.ends)
        lead = leading_digits(units, places)
        mobile = places.clean & (places.digits == MOBILE_DIGITS) & known_segments()[lead // 1000]
        mobile &= ~near_word(lent, places.starts, places.ends)
        asked = asked_for(lead, places.digits, near)
        long = places.clean & (places.digits >= 13) & (places.digits <= 19) & ~asked
        left = ~(mobile | long) & (~places.clean | near | asked)
        issued = issuer_table()[np.minimum(places.digits, 19), lead // 100] >= 0
        born = (places.digits == 18) & (near | (region_table()[lead] > 0))
        fitting: dict[Rule, Truths] = {
            mobile_scores: mobile,
            resident_scores: long & born,
            card_scores: long & issued,
        }
        claims = []
        for detector, rule in self.rules:
            chosen = np.flatnonzero(fitting[rule])
            if len(chosen):
                scores = rule(units, places.only(chosen), lead[chosen])
                hopeful = (scores[:, 1] >= self.threshold) | (near[chosen] & (scores[:, 2] >= self.threshold))
                starts, ends = places.starts[chosen[hopeful]], places.ends[chosen[hopeful]]
                claims.append(Claims(detector=detector, starts=starts, ends=ends, scores=scores[hopeful]))
        return claims, places.only(np.flatnonzero(left))

    def mails(self, units: Units, hits: Hits) -> tuple[list[Claims], Hits]:
        """Plain addresses around the signs among `hits`, and the hits that the detector must still be asked about."""
        if self.mail is None:
            return [], hits
        signs = units.narrow[hits.starts] == ord("@")
        starts, ends, taken = self.plain_mails.find(units, hits.starts[signs])
        left = np.ones(len(signs), dtype=bool)
        left[np.flatnonzero(signs)[taken]] = False
        scores = np.tile(np.array(email_address.SCORES), (len(starts), 1))
        return [Claims(detector=self.mail, starts=starts, ends=ends, scores=scores)], hits.only(left)

    def weigh(self, units: Units, claims: Sequence[Claims]) -> Spots:
        """Let the words around decide which of its three scores each value has."""
        spots = Spots.of(self.entities, [])
        claims = [claim for claim in claims if len(claim.starts)]
        many = sum(len(claim.starts) for claim in claims) > FEW
        surroundings = self.weigher.read(units) if many else None
        for claim in claims:
            if surroundings:
                weights = surroundings.weigh(self.numbers[claim.detector], claim.starts, claim.ends)
            else:
                bounds = zip(claim.starts.tolist(), claim.ends.tolist(), strict=True)
                weights = np.array([weigh_one(units, claim.detector, *span) for span in bounds], dtype=np.int8)
            scores = claim.scores[np.arange(len(weights)), weights + 1]
            kept = scores >= self.threshold
            kinds = np.full(np.count_nonzero(kept), self.entities.index(claim.detector.entity))
            bounds_kept = (claim.starts[kept], claim.ends[kept])
            spots = spots.join(Spots(self.entities, kinds, bounds_kept, scores[kept], np.zeros_like(kinds)))
        return spots


def weigh_one(units: Units, detector: Detector, start: int, end: int) -> int:
    """The words around one value."""
    text, begins = units.piece(start, end)
    return detector.context.weigh(text, start - begins, end - begins)


def asked_for(lead: Positions, digits: Positions, near: Truths) -> Truths:
    """Clean runs that a detector may take in a form that is not judged here, with no word near them.

    Landlines and numbers behind a country code, 400 and 800 numbers, 95013 numbers, mobiles of no known segment,
    foreigners' ids that begin with 9, and ids of 15 digits beside a word.
    """
    head = lead // 1000
    asked = (digits == MOBILE_DIGITS) & (((head >= 130) & (head < 200)) | (head < 100))
    asked |= (digits == 10) & ((head == 400) | (head == 800))
    asked |= (digits == 12) & (head < 100)
    asked |= (digits >= 13) & (digits <= 15) & ((head == 861) | (head < 10))
    asked |= (digits >= 11) & (digits <= 16) & (head == 950)
    asked |= (digits == 18) & (head >= 900)
    return np.asarray(asked | ((digits == 15) & near))


def leading_digits(units: Units, places: Places) -> Positions:
    """The first six digits of each place as a number; what is no digit counts as nought."""
    digits = digits_at(units, places.starts[:, None] + np.arange(6))
    return power_sum(np.where((digits >= 0) & (digits <= 9), digits, 0))


@cache
def known_segments() -> Truths:
    """By the first three digits of a number."""
    return np.array([f"{head:03d}" in phone_number.SEGMENTS for head in range(1000)])


def mobile_scores(_units: Units, places: Places, _lead: Positions) -> Scores:
    """Of mobiles of a known segment."""
    return np.tile(np.array(phone_number.MOBILE_SCORES), (len(places), 1))


@cache
def region_table() -> NDArray[np.int8]:
    """By place code: an index into `REGIONS_BY_NUMBER`."""
    table = np.zeros(1_000_000, dtype=np.int8)
    for province in cn_resident_id.PROVINCES:
        table[int(province) * 10_000 : (int(province) + 1) * 10_000] = 1
    table[[int(code) for code in cn_resident_id.ABOLISHED]] = 2
    table[[int(code) for code in cn_resident_id.REGIONS]] = 3
    return table


REGIONS_BY_NUMBER: Final[tuple[cn_resident_id.Region, ...]] = ("nowhere", "unknown", "abolished", "known")


def resident_scores(units: Units, places: Places, lead: Positions) -> Scores:
    """Of 18 characters, by birthday, check character and place."""
    values = digits_at(units, places.starts[:, None] + np.arange(18))
    sums = (values[:, :17] * np.array(cn_resident_id.WEIGHTS)).sum(axis=1) % 11
    expected = np.array([10 if c == "X" else int(c) for c in cn_resident_id.CHECK])[sums]
    last = np.where(values[:, 17] > 9, 10, values[:, 17])
    year, month, day = power_sum(values[:, 6:10]), power_sum(values[:, 10:12]), power_sum(values[:, 12:14])
    table = np.array([
        [cn_resident_id.SCORES[right, region] for region in REGIONS_BY_NUMBER] for right in (False, True)
    ])  # fmt: skip
    rows: Scores = table[(expected == last).astype(np.int64), region_table()[lead]]
    rows[~has_been(year, month, day)] = cn_resident_id.NO_BIRTHDAY
    rows[(lead < 100_000) | (lead >= 900_000)] = NONE
    return rows


def has_been(year: Positions, month: Positions, day: Positions) -> Truths:
    """Days from `cn_resident_id.OLDEST` to today."""
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    real = (month >= 1) & (month <= 12) & (day >= 1)
    real &= day <= MONTHS[np.where(real, month, 0)] + (leap & (month == 2))
    today = date.today()  # noqa: DTZ011  a birthday has no zone
    stamp = today.year * 10_000 + today.month * 100 + today.day
    return np.asarray(real & (year >= cn_resident_id.OLDEST) & (year * 10_000 + month * 100 + day <= stamp))


@cache
def issuer_table() -> NDArray[np.int8]:
    """By length and the first four digits: an index into `credit_card.ISSUERS`, or -1."""
    table = np.full((20, 10_000), -1, dtype=np.int8)
    for number, issuer in reversed(tuple(enumerate(credit_card.ISSUERS))):
        step = 10 ** (4 - issuer.width)
        table[list(issuer.lengths), issuer.low * step : (issuer.high + 1) * step] = number
    return table


def card_scores(units: Units, places: Places, lead: Positions) -> Scores:
    """Of 13 to 19 digits, by issuer and Luhn; nothing for a number of no issuer."""
    lengths = places.ends - places.starts
    values = digits_at(units, places.starts[:, None] + np.arange(19))
    values[np.arange(19) >= lengths[:, None]] = 0
    issuers = issuer_table()[lengths, lead // 100]
    dense = np.array([issuer.dense for issuer in credit_card.ISSUERS])[issuers]
    dated = (lead >= 220_000) & (lead < 280_000) & (lead // 100 % 100 >= 1) & (lead // 100 % 100 <= 12)
    dense &= ~(dated & (lead % 100 >= 1) & (lead % 100 <= 31)) & ~is_article(values, lengths)
    table = np.array([[credit_card.SCORES[luhn, sure] for sure in (False, True)] for luhn in (False, True)])
    rows: Scores = table[passes_luhn(values, lengths).astype(np.int64), dense.astype(np.int64)]
    alike = (values == values[:, :1]).sum(axis=1) - np.where(values[:, 0] == 0, 19 - lengths, 0) == lengths
    rows[(issuers < 0) | alike | (digits_at(units, places.ends - 1) > 9)] = NONE
    return rows


def passes_luhn(values: Positions, lengths: Positions) -> Truths:
    """ISO/IEC 7812-1 annex B, for rows of digits with zeros behind them."""
    doubled = (lengths[:, None] - np.arange(values.shape[1])) % 2 == 0
    twice = values * 2 - 9 * (values > 4)
    return np.asarray(np.where(doubled, twice, values).sum(axis=1) % 10 == 0)


def is_article(values: Positions, lengths: Positions) -> Truths:
    """EAN-13 by its check digit, for rows of digits."""
    threes = np.where(np.arange(values.shape[1]) % 2 == 1, 3, 1)
    return np.asarray((lengths == 13) & ((values * threes).sum(axis=1) % 10 == 0))


RULES: Final[dict[type[Detector], Rule]] = {
    phone_number.PhoneNumber: mobile_scores,
    cn_resident_id.CnResidentId: resident_scores,
    credit_card.CreditCard: card_scores,
}
