"""Packs: versioned data that the program ships beside its code, as TOML under `config/data`.

Head office may put a newer one in the place of some of them. Those lie in a folder of the store's state, by the same
names; `prefer` names it once when a process starts. A process that may not read that folder has the shipped ones.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from config.errors import UsageError

REPLACEABLE: Final = ("authority", "calendar", "drill", "law", "logistics", "notice", "plan", "text", "training")
"""Folders of packs that head office may replace. What detectors look for is not among them: a pack could blind them."""
_preferred: list[Path] = []


def prefer(folder: Path) -> None:
    """From now on packs of this folder go before the shipped ones, in this process."""
    _preferred[:] = [folder]


def read_pack(*path: str) -> dict[str, Any]:
    """One pack by its folders and name under `config/data`, such as `read_pack("detect", "names.toml")`."""
    return tomllib.loads(pack_text(*path))


def pack_text(*path: str) -> str:
    """The text of a pack, the preferred one first."""
    preferred = _preferred_text(*path)
    return files("config").joinpath("data", *path).read_text(encoding="utf-8") if preferred is None else preferred


def pack_layers(*path: str) -> list[dict[str, Any]]:
    """A pack as it ships and, over it, as head office has it; each only where it is there."""
    layers = []
    with suppress(FileNotFoundError):
        layers.append(tomllib.loads(files("config").joinpath("data", *path).read_text(encoding="utf-8")))
    preferred = _preferred_text(*path)
    return layers if preferred is None else [*layers, tomllib.loads(preferred)]


def _preferred_text(*path: str) -> str | None:
    if path[0] in REPLACEABLE:
        for folder in _preferred:
            with suppress(OSError):
                return folder.joinpath(*path).read_text(encoding="utf-8")
    return None


def pack_names(folder: str) -> list[str]:
    """Names of all packs of a folder, in order: the shipped ones and those that head office has added."""
    names = {entry.name for entry in files("config").joinpath("data", folder).iterdir() if entry.name.endswith(".toml")}
    for preferred in _preferred:
        if folder in REPLACEABLE and (preferred / folder).is_dir():
            names |= {entry.name for entry in (preferred / folder).iterdir() if entry.name.endswith(".toml")}
    return sorted(names)


def check_pack(path: str, content: Mapping[str, Any]) -> None:
    """What holds of every pack; the room that reads it has its own schema besides.

    Raises:
        UsageError: head office may not replace it, or it lacks what the shipped one of its name has.
    """
    folder, _, name = path.partition("/")
    if folder not in REPLACEABLE or not name:
        raise UsageError(f"{path}: is none of the packs that head office replaces ({', '.join(REPLACEABLE)})")
    shipped: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        shipped = tomllib.loads(files("config").joinpath("data", *path.split("/")).read_text(encoding="utf-8"))
    if not shipped and folder not in ("calendar", "law", "text"):
        raise UsageError(f"{path}: there is no such pack")
    if folder == "text":
        _check_texts(path, content, shipped)
    elif missing := shipped.keys() - content.keys():
        raise UsageError(f"{path}: lacks {', '.join(sorted(missing)[:8])}")


def _check_texts(path: str, content: Mapping[str, Any], shipped: Mapping[str, Any]) -> None:
    """Each text in both languages, with no placeholder that the shipped one does not have."""
    from config.text import placeholders  # it reads its packs from here

    for key, versions in content.items():
        if not isinstance(versions, dict) or versions.keys() != {"zh-CN", "en"}:
            raise UsageError(f"{path}: {key}: needs zh-CN and en, and nothing else")
        for language, words in versions.items():
            try:
                known = placeholders(shipped[key][language]) if key in shipped else set()
                strange = placeholders(words) - known
            except (ValueError, TypeError) as error:
                raise UsageError(f"{path}: {key}: {language}: not a text") from error
            if strange:
                raise UsageError(f"{path}: {key}: {language}: has {{{min(strange)}}}, which nothing fills")
