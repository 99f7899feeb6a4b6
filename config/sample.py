"""The sample settings file, generated from the schema: every key, its default and what it means.

`python -m config.sample` prints it; a test holds `config/example.toml` to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, SecretStr

from config.schema import LegalEntity, Person, Settings


def sample_settings(*, roots: Iterable[str] = (), store_name: str | None = None) -> str:
    """TOML text with defaults, given roots and store name filled in.

    Keys at their default are commented out, so that a later version's default takes effect.
    """
    chosen: dict[tuple[str, str], Any] = {}
    if list(roots):
        chosen["scan", "roots"] = list(roots)
    if store_name:
        chosen["store", "name"] = store_name
    lines = ["# Settings of Cloche. Commented keys show their defaults; unknown keys are refused.", ""]
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            lines += [f"# {(kind.__doc__ or '').strip().splitlines()[0]}", f"[{section}]"]
            for key, inner in kind.model_fields.items():
                lines.append(f"# {inner.description}")
                if (section, key) in chosen:
                    lines.append(f"{key} = {_toml(chosen[section, key])}")
                else:
                    lines.append(f"# {key} = {_toml(inner.default)}")
            lines.append("")
    lines += _table("people", "Somebody with a role on this machine; one table a person.", Person,
                    {"name": "测试甲", "roles": ["store_manager"]})  # fmt: skip
    lines += ["", *_table("entities", "A legal entity whose customers' information lies here; one table each.",
                          LegalEntity, {"name": "测试餐饮有限公司"})]  # fmt: skip
    return "\n".join(lines) + "\n"


def _table(name: str, about: str, kind: type[BaseModel], example: dict[str, Any]) -> list[str]:
    """A table that may be given many times, commented out."""
    lines = [f"# {about}", f"# [[{name}]]"]
    for key, inner in kind.model_fields.items():
        lines += [f"# # {inner.description}", f"# {key} = {_toml(example.get(key, inner.default))}"]
    return lines


def _toml(value: Any) -> str:
    """A value as TOML, which agrees with JSON for text, numbers, booleans and arrays of them."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


if __name__ == "__main__":
    print(sample_settings(), end="")  # noqa: T201  the command that makes example.toml
