"""Pictures of pages by Chromium, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stage import Stage

FLAGS: Final = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--ignore-certificate-errors",
)  # fmt: skip


def chromium() -> str | None:
    """The browser's path."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def picture(stage: Stage, address: str, name: str, size: str = "1200,1500") -> list[Path]:
    """A picture of a page in `results/NAME`; nothing where there is no Chromium, which is said once."""
    browser = chromium()
    if browser is None:
        if stage.words("no_chromium") not in stage.not_shown:
            stage.not_shown.append(stage.words("no_chromium"))
        return []
    target = stage.results / name
    with tempfile.TemporaryDirectory() as profile:
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        subprocess.run(
            [browser, *FLAGS, *sandbox, f"--user-data-dir={profile}", f"--window-size={size}",
             f"--screenshot={target}", address],
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip
    return [target] if target.exists() else []
