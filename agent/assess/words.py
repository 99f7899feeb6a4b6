"""Evidence in words: light enough for a command line that only shows an answer."""

from __future__ import annotations

from typing import Any

from config.text import Text


def spoken(text: Text, saying: dict[str, Any]) -> str:
    """Evidence of a kept assessment in words."""
    values = {
        name: text(value[1:]) if isinstance(value, str) and value.startswith("@") else value
        for name, value in saying["values"].items()
    }
    return text(saying["key"], **values)
