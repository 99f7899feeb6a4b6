"""Make `config/data/detect/names-lac.npz` from two published sets of LAC weights: `convert.py LAC JIEBA OUT`.

LAC is the unpacked sdist `lac` 2.1.2 (Baidu, Apache-2.0), JIEBA the folder of the installed `jieba` 0.42.1 (MIT, its
`lac_small`). Both are two layers of bidirectional GRU under a linear-chain CRF. Nothing is trained here: embeddings
become 31 steps with one scale a row, other weights float16, and rows that no text can reach are dropped (words outside
the segmenter's dictionary, entries of several characters in the small model). Measured on the development sets, the
answers differ in F1 by less than .003.

A Paddle parameter file is a header of 26 to 29 bytes and then float32, so the array is read from the end. Paddle keeps
a GRU's weights as update and reset gates (D by 2D) and then the candidate's (D by D), one after the other.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

WIDTH = 128
LONGEST_HEADER = 29
STEPS = 15  # of an embedding value on either side of 0: 127 made the file a third larger and answered no better


def read_table(file: Path) -> dict[str, str]:
    """Lines of `key TAB value`, both ways of writing a dictionary in LAC."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


def read_array(file: Path, *shape: int) -> np.ndarray[Any, Any]:
    """The last float32 of a Paddle parameter file."""
    content = file.read_bytes()
    return np.frombuffer(content[-4 * int(np.prod(shape)) :], dtype="<f4").reshape(shape)


def convert(
    name: str, model: Path, tables: Path, words: set[str], replaced: dict[str, str]
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of one network, their names led by `name`.

    `words` are the entries that can be asked for.
    """
    numbers = {word: int(number) for number, word in read_table(tables / "word.dic").items()}
    tags = read_table(tables / "tag.dic")
    size = (model / "crfw").stat().st_size
    count = next(n for n in range(100) if 0 <= size - 4 * n * (n + 2) <= LONGEST_HEADER)
    kept = [word for word in numbers if word in words]
    rows = [numbers["OOV"], *(numbers[word] for word in kept)]
    place = {word: index for index, word in enumerate(kept, start=1)}
    aliases = [a for a, b in replaced.items() if len(a) == 1 and a not in place and b in place]
    embedding = read_array(model / "word_emb", max(numbers.values()) + 1, WIDTH)[rows]
    scale = np.abs(embedding).max(axis=1, keepdims=True) / STEPS + 1e-12
    arrays = {
        "words": np.frombuffer("\n".join([*kept, *aliases]).encode(), dtype=np.uint8),
        "rows": np.array([*range(1, len(kept) + 1), *(place[replaced[a]] for a in aliases)], dtype=np.uint16),
        "embedding": np.round(embedding / scale).astype(np.int8),
        "scale": scale[:, 0].astype(np.float32),
        "emit": read_array(model / "fc_4.w_0", 2 * WIDTH, count),
        "emit_bias": read_array(model / "fc_4.b_0", count),
        "moves": read_array(model / "crfw", count + 2, count).astype(np.float32),
        "tags": np.frombuffer("\n".join(tags.get(str(n), "O") for n in range(count)).encode(), dtype=np.uint8),
    }
    for layer in (0, 1):
        inputs = WIDTH * (layer + 1)
        numbers_of = (2 * layer, 2 * layer + 1)
        recurrent = [read_array(model / f"gru_{n}.w_0", 3 * WIDTH * WIDTH) for n in numbers_of]
        biases = [read_array(model / f"{part}_{n}.b_0", 3 * WIDTH) for n in numbers_of for part in ("fc", "gru")]
        arrays[f"enter{layer}"] = np.stack([read_array(model / f"fc_{n}.w_0", inputs, 3 * WIDTH) for n in numbers_of])
        arrays[f"bias{layer}"] = np.stack([biases[0] + biases[1], biases[2] + biases[3]])[:, None]
        arrays[f"gates{layer}"] = np.stack([w[: 2 * WIDTH * WIDTH].reshape(WIDTH, 2 * WIDTH) for w in recurrent])
        arrays[f"candidate{layer}"] = np.stack([w[2 * WIDTH * WIDTH :].reshape(WIDTH, WIDTH) for w in recurrent])
    small = ("emit", "emit_bias", "enter", "bias", "gates", "candidate")
    return {f"{name}_{k}": v.astype(np.float16) if k.rstrip("01") in small else v for k, v in arrays.items()}


def main() -> None:
    """Read both, write one."""
    lac, jieba, out = (Path(argument) for argument in sys.argv[1:4])
    large = lac / "LAC" / "lac_model"
    lines = (large / "conf" / "small_seg.dic").read_text(encoding="utf-8").split("\n")
    singles = {word for word in read_table(large / "conf" / "word.dic").values() if len(word) == 1}
    words = {line.split(" ")[0] for line in lines if line} | singles
    replaced = read_table(large / "conf" / "q2b.dic")
    arrays = convert("large", large / "model", large / "conf", words, replaced)
    arrays |= convert("small", jieba / "lac_small" / "model_baseline", jieba / "lac_small", singles, replaced)
    np.savez_compressed(out, allow_pickle=False, **arrays)
    for name, array in arrays.items():
        print(f"{name:18} {array.dtype!s:8} {array.shape}")


if __name__ == "__main__":
    main()
