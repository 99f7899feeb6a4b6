"""Where the demo plays: folders, processes, what to show at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self

from processes import Processes
from words import Words

from agent.drill import synthetic


class Stage:
    """One run of the demo. `root` says whether the full tier is within reach."""

    def __init__(self, output: Path, given: Path | None, words: Words) -> None:
        self.words = words
        self.output = output
        self.store = output / "store"
        self.home = output / "home"
        self.head_office = output / "hq"
        self.results = output / "results"
        self.logs = output / "logs"
        self.given = given
        self.root = os.geteuid() == 0
        self.blocking = False
        self.summary: list[str] = []
        self.not_shown: list[str] = []
        self.leavings: list[Path] = []
        self.facts: dict[str, object] = {}
        self.wrong = False
        self.guard: subprocess.Popen[bytes] | None = None
        self.ended = False
        for folder in (self.results, self.logs):
            folder.mkdir(parents=True)
        self.processes = Processes(
            self.logs, {"CLOCHE_HOME": str(self.home), "CLOCHE_STORE__LANGUAGE": words.language, "PYTHONSAFEPATH": "1"}
        )

    def __enter__(self) -> Self:
        if self.given:
            self.words.line(self.words("copying", store=self.given))
            shutil.copytree(self.given, self.store, symlinks=True)
        else:
            synthetic.build(self.store, time.time())
        self.processes.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.processes.__exit__(*error)

    def tell(self, key: str, /, **values: object) -> None:
        """Say a fact now and again in the summary."""
        text = self.words(key, **values)
        self.words.line(text)
        self.summary.append(text)

    def check(self, good: bool) -> str:
        """`identical` or `NOT identical`, remembered for the exit code."""
        self.wrong = self.wrong or not good
        return self.words("same_yes" if good else "same_no")

    @property
    def share(self) -> Path:
        """The shared folder that gets copied."""
        return self.store if self.given else self.store / "共享"
