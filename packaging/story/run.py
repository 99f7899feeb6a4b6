"""`make story`: one leak from the first word to the closing, with every paper that it leaves, in Chinese and English.

Real processes: daemon, link with its page, a mail server and an SMS gateway on loopback. Everything stands in
`build/story`: the papers in `documents`, what was typed and answered in `story.txt`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from stage import Stage
from telling import Telling

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run all acts; 0 if each did what the plan asks, 1 otherwise."""
    from acts import ACTS
    from processes import StepError

    parser = argparse.ArgumentParser(prog="make story", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=CHECKOUT / "build" / "story")
    parser.add_argument("--language", choices=("zh-CN", "en"), default="zh-CN")
    arguments = parser.parse_args()
    output = arguments.output.absolute()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    words = Telling(arguments.language, output / "story.txt")
    began = time.monotonic()
    words.title(words("title"))
    with Stage(output, words) as stage:
        for act in ACTS:
            words.step(words(act.__name__))
            try:
                act(stage)
            except StepError as error:
                words.bad(words("failed", why=error))
                return 1
    words.title(words("summary", seconds=time.monotonic() - began))
    for path in sorted(stage.papers.iterdir()):
        words.line(str(path.relative_to(output)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
