"""Where numbers stand that may be somebody's: all runs of digits of a chunk judged at once, on arrays.

A *place* is one or more runs of digits (stars count as digits) with up to three joints between them, with seven digits
at least. Times and dates, dotted small numbers and columns of them are left out here: they can be no value of anybody.
The rules here only ever leave out; the oracle test shows that they leave out nothing that a detector would have taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scanners.units import DIGIT, JOINT, LETTER, LINE_END, STAR, UPPER, Positions, Units
from scanners.words import Hits

Truths = NDArray[np.bool_]
FEWEST: Final = 7
GAP: Final = 3
BEFORE: Final = 40  # how far before a number a word may stand that speaks for it, and how far behind
AFTER: Final = 12
EXTENSION: Final = 6  # digits
SPEAKING: Final = 10  # fewer digits in several runs are nothing without a word or a letter beside them
HASH: Final = 20  # hexadecimal digits that make one, and so many of them letters
HASH_LETTERS: Final = 3
GROUP: Final = 5  # four hexadecimal digits and a colon


def table_of(characters: str) -> Truths:
    """Membership, by code."""
    table = np.zeros(0x10000, dtype=bool)
    table[[ord(c) for c in characters]] = True
    return table


LEADING: Final = table_of(":/.-")  # between digits: a time, a date, a fraction
LONELY: Final = 1 << 32  # farther than anything
OF_DATES: Final = table_of("-/.")
HEXADECIMAL: Final = table_of("0123456789abcdef")
TRAILING: Final = table_of(".-")
OPENING: Final = table_of("=^#转分")  # what may open a second part behind a number


@dataclass(frozen=True, kw_only=True)
class Places:
    """Places by start. A `clean` one is a single run of digits with nothing at its sides that could belong to it."""

    starts: Positions
    ends: Positions
    digits: Positions
    clean: Truths

    def __len__(self) -> int:
        """How many."""
        return len(self.starts)

    def only(self, chosen: Positions) -> Places:
        """Some of them, by number."""
        return Places(
            starts=self.starts[chosen], ends=self.ends[chosen], digits=self.digits[chosen], clean=self.clean[chosen]
        )


def find_runs(mask: Truths) -> tuple[Positions, Positions]:
    """Starts and ends of the runs of true elements."""
    padded = np.zeros(len(mask) + 2, dtype=bool)
    padded[1:-1] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[0::2], edges[1::2]


class Runs:
    """All runs of digits of a chunk, with what stands for masked ones: stars, and `x` beside another."""

    def __init__(self, units: Units) -> None:
        """Find them."""
        digits = (units.flags & (DIGIT | STAR)) != 0
        crosses = units.narrow == ord("x")
        pairs = np.flatnonzero(crosses[1:] & crosses[:-1])
        digits[pairs] = digits[pairs + 1] = True
        self.marks = np.flatnonzero((units.flags & STAR) != 0)
        if len(pairs):
            self.marks = np.sort(np.concatenate((self.marks, pairs)))
        self.starts, self.ends = find_runs(digits)
        self.lengths = self.ends - self.starts


def number_places(units: Units, runs: Runs, spoken_for: Hits) -> Places:
    """The places of a chunk whose `runs` of digits and words that speak for any number are given."""
    starts, ends, lengths = runs.starts, runs.ends, runs.lengths
    if not len(starts):
        return Places(starts=starts, ends=ends, digits=starts, clean=starts.astype(bool))
    tied = ties(units, starts, ends)
    dates = cut_out_dates(units, runs, tied)
    heads = np.flatnonzero(np.concatenate(([True], ~tied)))
    tails = np.append(heads[1:], len(starts))
    digits = np.add.reduceat(lengths, heads)
    enough = (digits >= FEWEST) & ~dates[heads]
    heads, tails, digits = heads[enough], tails[enough], digits[enough]
    first, last = starts[heads], ends[tails - 1]
    single = tails - heads == 1
    crossed = single & ends_in_cross(units, first, last)
    last, digits = last + crossed, digits + crossed
    marked = holds(runs.marks, first, last) | holds(np.flatnonzero(units.narrow == ord("+")), first - 2, last)
    clean = single & ~marked & ~touched(units, first, last, follower(starts, ends, tails))
    kept = clean | marked | (single & ~in_hash(units, first, last))
    several = np.flatnonzero(~single & ~marked)
    if len(several):
        parts = heads[several], tails[several]
        beside_letter = ((units.flags_at(first[several] - 1) | units.flags_at(last[several])) & LETTER) != 0
        few = (digits[several] < SPEAKING) & ~beside_letter & ~near_word(spoken_for, first[several], last[several])
        few &= ~paired_decimals(units, runs, *parts)
        kept[several] = ~(few | small_parts(lengths, *parts))
    return Places(starts=first, ends=last, digits=digits, clean=clean).only(np.flatnonzero(kept))


def ends_in_cross(units: Units, first: Positions, last: Positions) -> Truths:
    """Runs of seventeen digits behind which an `X` stands, the check character of an id, and no more."""
    beyond = (units.flags_at(last + 1) & (LETTER | DIGIT | STAR)) == 0
    return np.asarray((last - first == 17) & (units.codes_at(last) == ord("x")) & beyond)


def ties(units: Units, starts: Positions, ends: Positions) -> Truths:
    """Which runs joints tie to the next one."""
    gaps = starts[1:] - ends[:-1]
    tied = gaps <= GAP
    near = np.flatnonzero(tied)
    begin, width = ends[near], gaps[near]
    joint = (units.flags & JOINT) != 0
    tied[near] = joint[begin] & (joint[begin + 1] | (width < 2)) & (joint[starts[near + 1] - 1] | (width < 3))
    return np.asarray(tied)


def cut_out_dates(units: Units, runs: Runs, tied: Truths) -> Truths:
    """Which runs a date begins with, `2024-05-17` or `17.05.2024`; the ties at its sides are cut.

    Behind six digits it may be the birthday within an id.
    """
    dates = np.zeros(len(runs.starts), dtype=bool)
    if len(dates) < 3:
        return dates
    one, two, three = runs.lengths[:-2], runs.lengths[1:-1], runs.lengths[2:]
    found = tied[:-1] & tied[1:] & (two == 2) & (((one == 4) & (three == 2)) | ((one == 2) & (three == 4)))
    begins = np.flatnonzero(found & (runs.starts[2:] - runs.starts[:-2] - one - two == 2))
    joint = units.narrow[runs.ends[begins]]
    same = OF_DATES[joint] & (joint == units.narrow[runs.ends[begins + 1]])
    within_id = (begins > 0) & tied[begins - 1] & (runs.lengths[begins - 1] == 6)
    begins = begins[same & ~within_id & calendar_digits(units, runs, begins)]
    dates[begins] = True
    tied[begins[begins > 0] - 1] = False
    tied[begins[begins < len(tied) - 2] + 2] = False
    return dates


def calendar_digits(units: Units, runs: Runs, begins: Positions) -> Truths:
    """Whether three runs may be a year of 1000 to 2999 with a month and a day on one side, by their first digits."""
    year, two, other = (units.codes_at(runs.starts[begins + step]) for step in range(3))
    year, other = np.where(runs.lengths[begins] == 4, (year, other), (other, year))
    return np.asarray(((year == ord("1")) | (year == ord("2"))) & (two <= ord("3")) & (other <= ord("3")))


def holds(marks: Positions, starts: Positions, ends: Positions) -> Truths:
    """Which `[start, end)` hold one of the sorted `marks`."""
    if not len(marks):
        return np.zeros(len(starts), dtype=bool)
    return np.asarray(np.searchsorted(marks, starts) < np.searchsorted(marks, ends))


def follower(starts: Positions, ends: Positions, tails: Positions) -> tuple[Positions, Positions]:
    """Start and length of the run of digits behind each cluster; far away where there is none."""
    last = len(starts) - 1
    following = np.minimum(tails, last)
    there = tails <= last
    return np.where(there, starts[following], np.iinfo(np.int64).max), np.where(there, (ends - starts)[following], 0)


def touched(units: Units, first: Positions, last: Positions, following: tuple[Positions, Positions]) -> Truths:
    """Single runs that something at their sides may belong to: letters, a colon, an extension, a track's sign."""
    behind = [units.flags_at(last + step) for step in range(GAP)]
    odd = ((units.flags_at(first - 1) | behind[0]) & LETTER) != 0
    odd |= ((units.flags_at(first - 2) & DIGIT) != 0) & LEADING[units.codes_at(first - 1)]
    odd |= ((behind[1] & DIGIT) != 0) & TRAILING[units.codes_at(last)]
    for step in range(GAP):
        odd |= OPENING[units.codes_at(last + step)]
    odd |= (units.codes_at(last) == ord(" ")) & (units.codes_at(last + 1) == ord("e"))  # ` ext. 801`
    start, length = following
    gap = start - last
    between = behind[0] | np.where(gap > 1, behind[1], 0) | np.where(gap > 2, behind[2], 0)
    return np.asarray(odd | ((gap <= GAP) & (length <= EXTENSION) & ((between & (LINE_END | LETTER)) == 0)))


def in_hash(units: Units, first: Positions, last: Positions) -> Truths:
    """Runs amid the hexadecimal digits of something longer, three of them small letters: an IBAN has capitals."""
    found = np.zeros(len(first), dtype=bool)
    beside = np.flatnonzero(((units.flags_at(first - 1) | units.flags_at(last)) & LETTER) != 0)
    if not len(beside):
        return found
    steps = np.arange(HASH)
    before = np.logical_and.accumulate(HEXADECIMAL[units.codes_at(first[beside, None] - 1 - steps)], axis=1)
    behind = np.logical_and.accumulate(HEXADECIMAL[units.codes_at(last[beside, None] + steps)], axis=1)
    letters = before & ((units.flags_at(first[beside, None] - 1 - steps) & (LETTER | UPPER)) == LETTER)
    also = behind & ((units.flags_at(last[beside, None] + steps) & (LETTER | UPPER)) == LETTER)
    length = last[beside] - first[beside] + before.sum(axis=1) + behind.sum(axis=1)
    found[beside] = (length >= HASH) & (letters.sum(axis=1) + also.sum(axis=1) >= HASH_LETTERS)
    return found


def paired_decimals(units: Units, runs: Runs, heads: Positions, tails: Positions) -> Truths:
    """Decimals of four places or more with another number close by: a latitude and a longitude, maybe."""
    tail = np.minimum(heads + 1, len(runs.starts) - 1)
    point = (tails - heads == 2) & (units.codes_at(runs.ends[heads]) == ord(".")) & (runs.lengths[tail] >= 4)
    gaps = np.concatenate(([LONELY], runs.starts[1:] - runs.ends[:-1], [LONELY]))
    return np.asarray(point & ((gaps[heads] <= GAP) | (gaps[tails] <= GAP)))


def small_parts(lengths: Positions, heads: Positions, tails: Positions) -> Truths:
    """Clusters of runs of three digits at most: dotted quads, versions, columns of small numbers.

    A number written digit by digit is none of them.
    """
    longest = cluster_longest(lengths, heads, tails)
    return np.asarray((longest <= GAP) & ~((longest == 1) & (tails - heads >= 11)))


def cluster_longest(lengths: Positions, heads: Positions, tails: Positions) -> Positions:
    """The longest run of each cluster; the clusters need not lie side by side."""
    bounds = np.empty(2 * len(heads), dtype=np.int64)
    bounds[0::2], bounds[1::2] = heads, tails
    if not len(bounds):
        return bounds
    padded = np.append(lengths, 0)
    longest: Positions = np.maximum.reduceat(padded, bounds)[0::2]
    return longest


def near_word(words: Hits, first: Positions, last: Positions) -> Truths:
    """Whether a word stands within reach of each place."""
    if not len(words.starts):
        return np.zeros(len(first), dtype=bool)
    index = np.searchsorted(words.starts, first - BEFORE)
    return np.asarray(np.append(words.starts, np.iinfo(np.int64).max)[index] < last + AFTER)


def digits_at(units: Units, where: Positions) -> Positions:
    """Values of the digits at some positions, which may be an array of any shape."""
    return units.codes_at(where).astype(np.int64) - ord("0")


def power_sum(digits: Positions) -> Positions:
    """Rows of digits as numbers."""
    number: Positions = digits @ 10 ** np.arange(digits.shape[1] - 1, -1, -1)
    return number


def dotted_places(units: Units, runs: Runs) -> list[tuple[int, int]]:
    """Where four numbers are dotted, or hexadecimal groups stand between colons: IP addresses, maybe.

    A time of day has two colons; an IPv6 address has `::` or seven (RFC 4291, 2.2).
    """
    found: list[tuple[int, int]] = []
    starts, ends = runs.starts, runs.ends
    if len(starts) > 3:
        dot = (starts[1:] - ends[:-1] == 1) & (units.narrow[ends[:-1]] == ord("."))
        chain = np.flatnonzero(dot[:-2] & dot[1:-1] & dot[2:])
        mapped = np.where(units.codes_at(starts[chain] - 1) == ord(":"), 8 * GROUP, 0)  # `::ffff:192.0.2.1`
        found += zip((starts[chain] - mapped).tolist(), ends[chain + 3].tolist(), strict=True)
    colons = np.flatnonzero(units.narrow == ord(":"))
    if len(colons) > 1:
        double = colons[:-1][colons[1:] - colons[:-1] == 1]
        found += zip((double - 40).tolist(), (double + 1).tolist(), strict=True)
        first = colons[:-6][colons[6:] - colons[:-6] <= 7 * GROUP] if len(colons) > 6 else colons[:0]
        found += zip((first - GROUP).tolist(), (first + 1).tolist(), strict=True)
    return join(found)


def join(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap joined; none begins before the text."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((max(0, start), end))
    return joined
