"""`make demo`: the main job on a sample store, start to end, with real processes.

Leaves everything in `build/demo`: pages, reports, pictures, logs. `--store PATH` works on a copy of that folder.
"""

from __future__ import annotations

import argparse
import locale
import os
import shutil
import sys
import time
from pathlib import Path

from processes import StepError
from stage import Stage
from steps import STEPS
from words import Words

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run all steps; 0 if each did what it should, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", type=Path, help="work on a copy of this folder")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "build" / "demo")
    parser.add_argument("--language", choices=("zh-CN", "en"))
    arguments = parser.parse_args()
    if arguments.store and not arguments.store.is_dir():
        parser.error(f"{arguments.store}: is not a folder")
    spoken = (os.environ.get("LC_ALL") or os.environ.get("LANG") or locale.getlocale()[0] or "").startswith("zh")
    words = Words(arguments.language or ("zh-CN" if spoken else "en"))
    output = arguments.output.absolute()
    shutil.rmtree(output, ignore_errors=True)
    began = time.monotonic()
    words.title(words("title"))
    with Stage(output, arguments.store, words) as stage:
        step = None
        try:
            for step in STEPS:
                if stage.ended:
                    break
                words.step(words(step.__name__, how="tar"))
                step(stage)
        except StepError as error:
            words.bad(words("failed", step=words(step.__name__, how="tar") if step else "", why=error))
            return 1
        words.title(words("summary", seconds=time.monotonic() - began))
        for line in stage.summary:
            words.line(line)
        if stage.not_shown:
            words.step(words("not_shown"))
            for line in stage.not_shown:
                words.line(line)
        words.step(words("look"))
        for path in stage.leavings:
            words.line(os.path.relpath(path))
        return 1 if stage.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
