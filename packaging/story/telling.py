"""How the story is told on a terminal, and kept in a file beside."""

from __future__ import annotations

import tomllib
from pathlib import Path

from rich.console import Console

SHOWN_LINES = 14


class Telling:
    """Texts of `texts.toml`; commands as typed, answers cut to what one reads."""

    def __init__(self, language: str, record: Path) -> None:
        packs = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
        self.language = language
        self._texts = {key: versions[language] for key, versions in packs.items()}
        self._console = Console(highlight=False, emoji=False, soft_wrap=True, markup=False)
        self._record = record

    def __call__(self, key: str, /, **values: object) -> str:
        """One text with its placeholders filled."""
        return self._texts[key].format(**values)

    def title(self, text: str) -> None:
        """A headline."""
        self._put(f"\n{text}", "bold")

    def step(self, text: str) -> None:
        """What happens next."""
        self._put(f"\n▸ {text}", "bold cyan")

    def command(self, text: str) -> None:
        """What somebody types."""
        self._put(f"  $ {text}", "bold")

    def answer(self, text: str) -> None:
        """What the terminal says; the file has all of it."""
        lines = text.rstrip().splitlines()
        for line in lines[:SHOWN_LINES]:
            self._console.print(f"    {line}", style="dim")
        if len(lines) > SHOWN_LINES:
            self._console.print(f"    … +{len(lines) - SHOWN_LINES}", style="dim")
        with self._record.open("a", encoding="utf-8") as file:
            file.write("".join(f"    {line}\n" for line in lines))

    def line(self, text: str) -> None:
        """A fact."""
        self._put(f"  {text}", "")

    def bad(self, text: str) -> None:
        """Something that went wrong."""
        self._put(f"  ✗ {text}", "bold red")

    def _put(self, text: str, style: str) -> None:
        self._console.print(text, style=style or None)
        with self._record.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
