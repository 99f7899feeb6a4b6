"""A tagger of Chinese words, names and places: LAC-small's weights run in numpy.

The weights are Baidu's (two layers of bidirectional GRU over single characters, 57 tags, a linear-chain CRF), shipped
inside the `jieba` 0.42.1 package (MIT). Its own code needs PaddlePaddle and is never imported: the files are found
beside it. A Paddle parameter file is a header of 27 to 29 bytes and then float32, so the array is read from the end.
Paddle keeps a GRU's weights as update and reset gates (D by 2D) and then the candidate's (D by D), one after the other.

It gives no scores, and takes names of brands and dishes for people: `scanners.names` judges what it says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Final

# One thread for BLAS, before numpy starts it: for matrices this small a second one makes a busy machine five times
# slower (0.8 s → 4.6 s for 20,000 characters, measured), and a worker has one core to itself. Too late if numpy is in.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from config.errors import ClocheError

Floats = NDArray[np.float32]
WIDTH: Final = 128
TAGS: Final = 57
VOCABULARY: Final = 20941
BATCH: Final = 48


def find_weights() -> Path:
    """The folder `lac_small` of the installed jieba, without importing it.

    Raises:
        ClocheError: jieba is not installed, or without its weights.
    """
    spec = find_spec("jieba")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "lac_small"
        if (folder / "model_baseline" / "word_emb").is_file():
            return folder
    raise ClocheError("jieba: its folder lac_small with the weights for names is missing; reinstall, or use --no-names")


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word `[start, end)` of the text with its tag, e.g. PER, LOC, ORG, nr, ns, n, v."""

    start: int
    end: int
    tag: str


@dataclass(frozen=True, kw_only=True)
class Direction:
    """One direction of one layer."""

    enter: Floats
    enter_bias: Floats
    gates: Floats
    candidate: Floats
    bias: Floats


def sigmoid(value: Floats) -> Floats:
    """Logistic function by tanh: no overflow."""
    result: Floats = np.float32(0.5) * (np.tanh(np.float32(0.5) * value) + np.float32(1))
    return result


class Tagger:
    """Tags texts in batches. About 15 MB of weights; the time is linear in characters."""

    def __init__(self, folder: Path) -> None:
        """Read the weights of `folder`."""
        self.folder = folder
        self.embedding = self.read("word_emb", VOCABULARY, WIDTH)
        self.layers = [self.read_direction(0), self.read_direction(1)], [self.read_direction(2), self.read_direction(3)]
        self.emit = self.read("fc_4.w_0", 2 * WIDTH, TAGS)
        self.emit_bias = self.read("fc_4.b_0", TAGS)
        crf = self.read("crfw", TAGS + 2, TAGS)
        self.first, self.last, self.moves = crf[0], crf[1], crf[2:]

    @cached_property
    def characters(self) -> dict[str, int]:
        """Character to row of the embedding."""
        lines = (self.folder / "word.dic").read_text(encoding="utf-8").split("\n")
        return {word: int(number) for number, word in (line.split("\t") for line in lines if "\t" in line)}

    @cached_property
    def tags(self) -> list[tuple[str, bool]]:
        """Tags by number: name, and whether it begins a word."""
        lines = (self.folder / "tag.dic").read_text(encoding="utf-8").split("\n")
        names = dict(line.split("\t") for line in lines if "\t" in line)
        found = [names[str(number)] for number in range(TAGS)]
        return [(name.split("-")[0], not name.endswith("-I")) for name in found]

    def read(self, name: str, *shape: int) -> Floats:
        """One parameter file as an array of `shape`."""
        count = int(np.prod(shape))
        file = self.folder / "model_baseline" / name
        with file.open("rb") as stream:
            stream.seek(-4 * count, os.SEEK_END)
            return np.frombuffer(stream.read(), dtype="<f4").reshape(shape)

    def read_direction(self, number: int) -> Direction:
        """Weights of one GRU with the layer that leads into it."""
        inputs = WIDTH if number < 2 else 2 * WIDTH
        recurrent = self.read(f"gru_{number}.w_0", 3 * WIDTH * WIDTH)
        return Direction(
            enter=self.read(f"fc_{number}.w_0", inputs, 3 * WIDTH),
            enter_bias=self.read(f"fc_{number}.b_0", 3 * WIDTH),
            gates=recurrent[: 2 * WIDTH * WIDTH].reshape(WIDTH, 2 * WIDTH),
            candidate=recurrent[2 * WIDTH * WIDTH :].reshape(WIDTH, WIDTH),
            bias=self.read(f"gru_{number}.b_0", 3 * WIDTH),
        )

    def tag(self, texts: Sequence[str]) -> list[list[Word]]:
        """Words of each text; texts of like length go together, so that padding costs little."""
        order = sorted((i for i in range(len(texts)) if texts[i]), key=lambda i: len(texts[i]))
        results: list[list[Word]] = [[] for _ in texts]
        for low in range(0, len(order), BATCH):
            chosen = order[low : low + BATCH]
            for index, path in zip(chosen, self.decode([texts[i] for i in chosen]), strict=True):
                results[index] = self.join(path)
        return results

    def join(self, path: list[int]) -> list[Word]:
        """Words out of one tag a character."""
        words: list[Word] = []
        start = 0
        for position in range(1, len(path) + 1):
            if position == len(path) or self.tags[path[position]][1]:
                words.append(Word(start=start, end=position, tag=self.tags[path[start]][0]))
                start = position
        return words

    def decode(self, texts: list[str]) -> list[list[int]]:
        """The likeliest tags of one batch (Viterbi)."""
        lengths = np.array([len(text) for text in texts])
        width = int(lengths.max())
        unknown = self.characters["OOV"]
        numbers = np.full((len(texts), width), unknown)
        for row, text in enumerate(texts):
            numbers[row, : len(text)] = [self.characters.get(character, unknown) for character in text]
        scores = self.emissions(numbers, lengths)
        best = scores[:, 0] + self.first
        finals = np.where((lengths == 1)[:, None], best + self.last, -np.inf)
        back = np.zeros((width, len(texts), TAGS), dtype=np.int8)
        for step in range(1, width):
            reached = best[:, :, None] + self.moves[None]
            back[step] = reached.argmax(axis=1)
            best = reached.max(axis=1) + scores[:, step]
            finals = np.where((lengths == step + 1)[:, None], best + self.last, finals)
        paths = []
        for row, length in enumerate(lengths):
            path = [int(finals[row].argmax())]
            for step in range(int(length) - 1, 0, -1):
                path.append(int(back[step, row, path[-1]]))
            paths.append(path[::-1])
        return paths

    def emissions(self, numbers: NDArray[np.int64], lengths: NDArray[np.int64]) -> Floats:
        """Scores of all tags at all characters. Padding stands after the text in both directions, so it is harmless."""
        width = numbers.shape[1]
        places = np.arange(width)[None, :]
        mirrored = np.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
        rows = np.arange(len(lengths))[:, None]
        values = self.embedding[numbers]
        for forward, backward in self.layers:
            values = np.concatenate(
                [self.run(values, forward), self.run(values[rows, mirrored], backward)[rows, mirrored]], axis=2
            )
        result: Floats = values @ self.emit + self.emit_bias
        return result

    def run(self, values: Floats, part: Direction) -> Floats:
        """One GRU over a batch."""
        entered = values @ part.enter + (part.enter_bias + part.bias)
        state: Floats = np.zeros((values.shape[0], WIDTH), dtype=np.float32)
        out = np.empty((values.shape[0], values.shape[1], WIDTH), dtype=np.float32)
        for step in range(values.shape[1]):
            now = entered[:, step]
            gates = sigmoid(now[:, : 2 * WIDTH] + state @ part.gates)
            update, reset = gates[:, :WIDTH], gates[:, WIDTH:]
            candidate = np.tanh(now[:, 2 * WIDTH :] + (reset * state) @ part.candidate)
            state += update * (candidate - state)
            out[:, step] = state
        return out
