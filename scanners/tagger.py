"""Chinese people and places by two networks that are heard together.

The weights are Baidu's LAC in two sizes (`config/data/detect/names-lac.npz`, made by `packaging/names/convert.py`; the
notice beside it says whose they are). The large one reads words where its dictionary has them and characters else, the
small one characters. They err differently: the mean of both beats each (overlap F1 on news .91 and .90 → .92).

It takes names of brands, teams and dishes for people: `scanners.names` judges what it says.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import accumulate
from typing import Any, Final

import numpy as np

from scanners.network import Floats, Network

BATCH: Final = 4_000  # characters with their padding: 25 MB for what stands between two layers
LEAST: Final = 1e-4
LONGEST_WORD: Final = 3  # of the segmenter's dictionary
PERSON, PLACE = ("PER", "nr"), ("LOC", "ns")


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """A word `[start, end)` of the text with its tag, e.g. LOC, ORG, ns, n, v."""

    start: int
    end: int
    tag: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagged:
    """What both networks say of one text: people of either one, words of the small one."""

    people: tuple[Word, ...] = ()
    words: tuple[Word, ...] = ()
    chances: tuple[tuple[float, ...], ...] = ()  # of either network, that a character is of a person

    def odds(self, start: int, end: int) -> float:
        """Log-odds that `[start, end)` is a person; far below 0 outside the text.

        Of both networks' chances and of their mean: where they differ widely, either mean alone goes wrong more often.
        """
        length = max(1, end - start)
        said = [sum(chance[start:end]) / length for chance in self.chances] or [0.0]
        mean = sum(said) / len(said)
        return sum(log_odds(chance) for chance in (*said, mean, mean)) / (len(said) + 2)


def log_odds(chance: float) -> float:
    """Of a chance between 0 and 1; no network is surer than `LEAST`."""
    chance = min(max(chance, LEAST), 1 - LEAST)
    return math.log(chance / (1 - chance))


class Reader:
    """Turns a text into rows of a network's embedding."""

    def __init__(self, arrays: Any, name: str) -> None:
        """Read the vocabulary of `name`."""
        words = arrays[f"{name}_words"].tobytes().decode().split("\n")
        self.rows = dict(zip(words, arrays[f"{name}_rows"].tolist(), strict=True))

    def characters(self, text: str) -> list[int]:
        """A row for each character; 0 is the unknown one."""
        get = self.rows.get
        return [get(character, 0) for character in text]

    def units(self, text: str) -> tuple[list[int], list[int]]:
        """Rows and lengths of the fewest words that cover the text; of equal covers the one with long words first."""
        get = self.rows.get
        count = len(text)
        cost = [0] * (count + LONGEST_WORD)
        chosen = [1] * count
        for start in range(count - 1, -1, -1):
            best, length = cost[start + 1], 1
            for size in (2, 3):
                if cost[start + size] <= best and start + size <= count and text[start : start + size] in self.rows:
                    best, length = cost[start + size], size
            cost[start], chosen[start] = best + 1, length
        rows, lengths = [], []
        start = 0
        while start < count:
            rows.append(get(text[start : start + chosen[start]], 0))
            lengths.append(chosen[start])
            start += chosen[start]
        return rows, lengths


class Tagger:
    """Tags texts in batches of like length. About 20 MB of weights; the time is linear in characters."""

    def __init__(self) -> None:
        """Read the weights."""
        content = files("config").joinpath("data", "detect", "names-lac.npz").read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            self.readers = Reader(arrays, "large"), Reader(arrays, "small")
            self.networks = Network(arrays, "large"), Network(arrays, "small")

    def tag(self, texts: Sequence[str]) -> list[Tagged]:
        """What is in each text; texts of like length go together, so that padding costs little."""
        order = sorted((i for i in range(len(texts)) if texts[i]), key=lambda i: len(texts[i]))
        results = [Tagged()] * len(texts)
        while order:
            chosen = order[-max(1, BATCH // len(texts[order[-1]])) :]
            del order[-len(chosen) :]
            for index, tagged in zip(chosen, self.hear([texts[i] for i in chosen]), strict=True):
                results[index] = tagged
        return results

    def hear(self, texts: Sequence[str]) -> Iterator[Tagged]:
        """One batch through both networks: people of either one, words of the small one."""
        units = [self.readers[0].units(text) for text in texts]
        large = self.networks[0].marginals([rows for rows, _ in units])
        small = self.networks[1].marginals([self.readers[1].characters(text) for text in texts])
        for (_, lengths), words, characters in zip(units, large, small, strict=True):
            ends = list(accumulate(lengths))
            one = join(self.networks[0].tags, words, ends)
            two = tuple(join(self.networks[1].tags, characters, range(1, len(characters) + 1)))
            people = dict.fromkeys(word for word in (*one, *two) if word.tag in PERSON)
            large_chance = np.repeat(chance(self.networks[0].tags, words), lengths).tolist()
            small_chance = chance(self.networks[1].tags, characters).tolist()
            yield Tagged(people=tuple(people), words=two, chances=(tuple(large_chance), tuple(small_chance)))


def chance(tags: Sequence[str], likely: Floats) -> Floats:
    """How likely each place belongs to a person."""
    chosen = [index for index, tag in enumerate(tags) if tag.partition("-")[0] in PERSON]
    result: Floats = likely[:, chosen].sum(axis=1)
    return result


def join(tags: Sequence[str], likely: Floats, ends: Sequence[int]) -> Iterator[Word]:
    """Words out of the likeliest tag at each place, which ends at the character `ends` of the text."""
    start, name = 0, ""
    for place, best in enumerate(likely.argmax(axis=1).tolist()):
        tag, _, position = tags[best].partition("-")
        low = ends[place - 1] if place else 0
        if not place or position != "I" or tag != name:
            if place:
                yield Word(start=start, end=low, tag=name)
            start, name = low, tag
    if len(ends):
        yield Word(start=start, end=ends[-1], tag=name)
