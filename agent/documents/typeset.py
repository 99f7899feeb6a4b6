"""Ask the typesetter for a PDF or a picture, and give up on it when it takes too long."""

from __future__ import annotations

import base64
import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from agent.documents.model import TEXT_WIDTH_MM
from config.errors import ClocheError

SECONDS: Final = 60
NO_FONT: Final = 10
"""The typesetter's exit code where no font for Chinese is found."""
_PIXELS_AN_INCH: Final = 200


class NoFontError(ClocheError):
    """No font for Chinese is installed: no PDF can be made that shows what it says."""


def typeset(
    files: Mapping[str, bytes], form: Literal["pdf", "png"] = "pdf", folders: Sequence[Path] | None = None
) -> bytes:
    """Set `main.typ` with the files beside it.

    Args:
        files: by name; `document.json` gets the fonts that were found.
        form: `png` gives the first page.
        folders: where fonts are looked for; the system's by default.

    Raises:
        NoFontError: none of them has Chinese.
        ClocheError: it failed, or took more than `SECONDS`.
    """
    request = {
        "format": form, "ppi": _PIXELS_AN_INCH if form == "png" else None, "parent": os.getpid(),
        "folders": None if folders is None else [str(folder) for folder in folders],
        "files": {name: base64.b64encode(content).decode("ascii") for name, content in files.items()},
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "agent.documents.typesetter"],
            input=json.dumps(request).encode("ascii"), capture_output=True, timeout=SECONDS, check=False, cwd="/",
            env={"LANG": "C.UTF-8", "PATH": os.defpath, "RAYON_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "2"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ClocheError(f"typesetting took more than {SECONDS} s and was given up") from error
    except OSError as error:
        raise ClocheError(f"the typesetter cannot be started: {error.strerror}") from error
    if done.returncode == NO_FONT:
        raise NoFontError("no font for Chinese is installed (Debian: fonts-noto-cjk, or fonts-wqy-microhei)")
    if done.returncode:
        raise ClocheError(f"the typesetter failed with code {done.returncode}")
    return done.stdout


def as_png(svg: bytes) -> bytes:
    """A PNG of an SVG, at 200 pixels an inch on the text's width.

    Raises:
        NoFontError: no font for Chinese is installed.
        ClocheError: it cannot be drawn.
    """
    page = b'#set page(width: %dmm, height: auto, margin: 0pt)\n#image("picture.svg", width: 100%%)' % TEXT_WIDTH_MM
    return typeset({"main.typ": page, "picture.svg": svg}, "png")


def obstacle() -> ClocheError | None:
    """Why no PDF can be made here; None where one can: that is remembered, a failure is looked at again."""
    try:
        _try()
    except ClocheError as error:
        return error
    return None


@functools.cache
def _try() -> None:
    typeset({"main.typ": b"\xe6\x95\xb0"})
