"""What the demo says, in one language, and how it looks on a terminal."""

from __future__ import annotations

import tomllib
from pathlib import Path

from rich.console import Console


class Words:
    """Texts of `texts.toml`, printed under simple headings."""

    def __init__(self, language: str) -> None:
        packs = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
        self.language = language
        self.texts = {key: versions[language] for key, versions in packs.items()}
        self._console = Console(highlight=False, emoji=False, soft_wrap=True, markup=False)
        self._number = 0

    def __call__(self, key: str, /, **values: object) -> str:
        """One text with its placeholders filled."""
        return self.texts[key].format(**values)

    def title(self, text: str) -> None:
        """A headline."""
        self._console.print(f"\n{text}", style="bold")

    def step(self, text: str) -> None:
        """The next thing that happens."""
        self._console.print(f"\n▸ {text}", style="bold cyan")

    def line(self, text: str) -> None:
        """A fact."""
        for part in text.splitlines():
            self._console.print(f"  {part}".rstrip())

    def bad(self, text: str) -> None:
        """Something that went wrong."""
        self._console.print(f"  ✗ {text}", style="bold red")
