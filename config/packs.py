"""Packs: versioned data that the program ships beside its code, as TOML under `config/data`."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any


def read_pack(*path: str) -> dict[str, Any]:
    """One pack by its folders and name under `config/data`, such as `read_pack("detect", "names.toml")`."""
    return tomllib.loads(files("config").joinpath("data", *path).read_text(encoding="utf-8"))
