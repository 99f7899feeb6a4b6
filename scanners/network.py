"""A tagging network in numpy: two layers of bidirectional GRU under a linear-chain CRF, read for its marginals.

Both networks of `scanners.tagger` are of this form. What is asked of them is not the best path but how likely each tag
is at each place: two networks can then be heard together, and a threshold trades precision against recall.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

# One thread for BLAS, before numpy starts it: for matrices this small a second one makes a busy machine five times
# slower (0.8 s → 4.6 s for 20,000 characters, measured), and a worker has one core to itself. Too late if numpy is in.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
HALF: Final = np.float32(0.5)
TINY: Final = np.float32(1e-30)


class Network:
    """Marginals of tags. The time is linear in the padded length of a batch."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], name: str) -> None:
        """Take the arrays whose names begin with `name` and an underscore (`packaging/names/convert.py` makes them)."""

        def part(key: str) -> Floats:
            return arrays[f"{name}_{key}"].astype(np.float32)

        self.embedding: NDArray[np.int8] = arrays[f"{name}_embedding"]
        self.scale = part("scale")[:, None]
        self.tags = [str(tag) for tag in arrays[f"{name}_tags"].tobytes().decode().split("\n")]
        self.width = part("candidate0").shape[1]
        # sigmoid(v) is tanh(v / 2) / 2 + 1/2: the inner half goes into the weights here, once
        halves = np.ones(3 * self.width, dtype=np.float32)
        halves[: 2 * self.width] = HALF
        self.layers = [
            (
                part(f"enter{n}") * halves,
                part(f"bias{n}") * halves,
                part(f"gates{n}") * HALF,
                part(f"candidate{n}"),
            )
            for n in (0, 1)
        ]
        self.emit, self.emit_bias = part("emit"), part("emit_bias")
        moves = part("moves")
        self.first, self.last = np.exp(moves[0] - moves[0].max()), np.exp(moves[1] - moves[1].max())
        self.moves = np.exp(moves[2:] - moves[2:].max())

    def marginals(self, rows: Sequence[Sequence[int]]) -> list[Floats]:
        """For each text of `rows` of the embedding, the probability of every tag at every place (length by tags)."""
        lengths = np.array([len(row) for row in rows])
        numbers = np.zeros((len(rows), int(lengths.max())), dtype=np.int64)
        for index, row in enumerate(rows):
            numbers[index, : len(row)] = row
        likely = self.chain(self.emissions(numbers, lengths), lengths)
        return [likely[index, : len(row)] for index, row in enumerate(rows)]

    def emissions(self, numbers: NDArray[np.int64], lengths: NDArray[np.int64]) -> Floats:
        """Scores of all tags. Padding stands after the text in both directions, so it is harmless."""
        places = np.arange(numbers.shape[1])[None, :]
        mirrored = np.where(places < lengths[:, None], lengths[:, None] - 1 - places, places)
        texts = np.arange(len(lengths))[:, None]
        values: Floats = self.embedding[numbers] * self.scale[numbers][:, :, 0, None]
        for enter, bias, gates, candidate in self.layers:
            both = np.stack([values, values[texts, mirrored]])
            out = self.run(
                (both.reshape(2, -1, values.shape[2]) @ enter + bias).reshape(*both.shape[:3], -1), gates, candidate
            )
            values = np.concatenate([out[0], out[1][texts, mirrored]], axis=2)
        result: Floats = values @ self.emit + self.emit_bias
        return result

    def run(self, entered: Floats, gates: Floats, candidate: Floats) -> Floats:
        """Both directions of one layer, step by step."""
        width = self.width
        state: Floats = np.zeros((2, entered.shape[1], width), dtype=np.float32)
        out = np.empty((*entered.shape[:3], width), dtype=np.float32)
        for step in range(entered.shape[2]):
            now = entered[:, :, step]
            open_ = np.tanh(now[:, :, : 2 * width] + state @ gates)
            open_ *= HALF
            open_ += HALF
            new = np.tanh(now[:, :, 2 * width :] + (open_[:, :, width:] * state) @ candidate)
            new -= state
            new *= open_[:, :, :width]
            state += new
            out[:, :, step] = state
        return out

    def chain(self, scores: Floats, lengths: NDArray[np.int64]) -> Floats:
        """Forward and backward over the CRF, normalised at every step so that nothing overflows."""
        likely: Floats = np.exp(scores - scores.max(axis=2, keepdims=True))
        ahead = np.empty_like(likely)
        state: Floats = likely[:, 0] * self.first
        for step in range(likely.shape[1]):
            if step:
                state = (state @ self.moves) * likely[:, step]
            state = state / (state.sum(axis=1, keepdims=True) + TINY)
            ahead[:, step] = state
        behind = np.ones_like(state)
        for step in range(likely.shape[1] - 1, -1, -1):
            behind = np.where((lengths <= step + 1)[:, None], self.last, behind)
            ahead[:, step] *= behind
            behind = (behind * likely[:, step]) @ self.moves.T
            behind /= behind.max(axis=1, keepdims=True) + TINY
        result: Floats = ahead / (ahead.sum(axis=2, keepdims=True) + TINY)
        return result
