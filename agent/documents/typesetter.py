"""`python -m agent.documents.typesetter`: set type in a process of its own, which gives its rights up first.

It reads one JSON document from stdin (`format`, `files` in base64, `folders` of fonts) and writes the PDF or PNG to
stdout. Its memory (90 MB, most of it fonts) goes back when it ends, and whoever waits for it can stop waiting. Exit
codes: 0; `NO_FONT` where no font for Chinese is found; 1 for anything else. It says nothing, for what a typesetter
chokes on is what stood in the document.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import sys
from typing import Any, Final

import typst

from agent.documents.typeset import NO_FONT
from config.privileges import become_nobody, die_with_parent, forbid_dumps, leave_network, no_new_privileges

MEMORY_MB: Final = 1536
FONTS: Final = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC", "Microsoft YaHei", "PingFang SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei", "Droid Sans Fallback", "Noto Serif CJK SC",
    "Source Han Serif SC", "SimSun", "AR PL UMing",
)  # fmt: skip
"""Families that hold the characters of GB 2312, best first."""
LATIN: Final = ("Noto Sans", "DejaVu Sans", "Liberation Sans", "Libertinus Serif", "DejaVu Sans Mono")
"""For what a Chinese font may lack (Droid Sans Fallback has no digit); the last two come with Typst."""
Request = dict[str, Any]


def fonts_of(folders: list[str] | None) -> typst.Fonts:
    """The system's fonts, or those of the folders, and what comes with Typst."""
    return typst.Fonts(include_system_fonts=folders is None, include_embedded_fonts=True, font_paths=folders or [])


def chinese(fonts: typst.Fonts) -> list[str]:
    """Which of `FONTS` are there, best first."""
    found = set(fonts.families())
    return [name for name in FONTS if name in found]


def typeset(request: Request) -> bytes:
    """The PDF, or the PNG of the first page.

    Raises:
        LookupError: no font for Chinese.
        typst.TypstError: it cannot be set.
    """
    fonts = fonts_of(request["folders"])
    families = chinese(fonts)
    if not families:
        raise LookupError
    files: Any = {name: base64.b64decode(content) for name, content in request["files"].items()}
    if "document.json" in files:
        files["document.json"] = json.dumps(
            {**json.loads(files["document.json"]), "fonts": [*families, *LATIN]}
        ).encode()
    made: bytes | list[bytes] = typst.compile(files, format=request["format"], ppi=request.get("ppi"), font_paths=fonts)
    return made if isinstance(made, bytes) else made[0]


def confine(parent: int) -> None:
    """No network, no rights, bounded memory, for good."""
    leave_network()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB << 20, MEMORY_MB << 20))
    become_nobody()
    no_new_privileges()
    forbid_dumps()
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


def main() -> int:
    """Serve one request."""
    request = json.load(sys.stdin.buffer)
    confine(int(request["parent"]))
    try:
        made = typeset(request)
    except LookupError:
        return NO_FONT
    except (typst.TypstError, RuntimeError, ValueError, OSError, MemoryError):
        return 1
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
