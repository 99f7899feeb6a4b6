"""Read the settings: TOML file, `secrets.toml` beside it, then environment, checked at once with every error named."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from config.direction import OVERLAY, PEOPLE, read_direction, with_own_accounts
from config.errors import RefusedError, UsageError
from config.overlay import lay_over
from config.schema import Settings

PREFIX: Final = "CLOCHE_"
SECRETS: Final = "secrets.toml"
OTHERS: Final = frozenset({"CLOCHE_HOME", "CLOCHE_KEY_FILE"})


class _Environment(Settings, BaseSettings):
    """Names of the variables, read by pydantic-settings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)


def load_settings(
    file: Path, environment: Mapping[str, str] | None = None, *, direction: Path | None = None
) -> Settings:
    """The checked settings; a file that does not exist means defaults.

    Args:
        file: the store's own.
        environment: variables that go over it; the process's where None.
        direction: folder with what head office has set, which goes over the file and under the environment.

    Raises:
        UsageError: broken TOML, an unknown key or a wrong value; all of them in one message, each with its path.
        RefusedError: the file exists and cannot be read.
    """
    variables = os.environ if environment is None else environment
    values = _read(file)
    _merge(values, read_secrets(file.with_name(SECRETS)))
    if direction is not None:
        values = lay_over(values, read_direction(direction, OVERLAY))
        people = read_direction(direction, PEOPLE).get("people")
        if people is not None:
            own = values.get("people", ())
            values["people"] = with_own_accounts(people, own if isinstance(own, list) else ())
    named, problems = _overlay(values, variables)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"])
            known = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
            source = named.get(".".join(str(part) for part in fault["loc"][:2])) or named.get(str(fault["loc"][0]))
            problems.append(f"{source or file}: {where}: {known}")
        raise UsageError("; ".join(problems)) from error
    if problems:
        raise UsageError("; ".join(problems))
    return settings


def read_secrets(file: Path) -> dict[str, Any]:
    """Passwords and addresses of robots, kept apart from the settings, which every account may read.

    An account that may not read the file has no use for it: to it the file is empty.

    Raises:
        UsageError: broken TOML; the message quotes nothing of it.
        RefusedError: others than its owner may read it.
    """
    try:
        mode = file.stat().st_mode
        if mode & 0o077:
            raise RefusedError(f"{file}: others may read it (mode {stat.S_IMODE(mode):04o}): chmod 600")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = re.search(r"\(at line \d+, column \d+\)", str(error))
        raise UsageError(f"{file}: not valid TOML {where[0] if where else ''}".rstrip()) from None
    except OSError as error:
        raise RefusedError(f"{file}: cannot be read: {error.strerror}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: not valid TOML: {error}") from error
    except OSError as error:
        raise RefusedError(f"{file}: cannot be read: {error.strerror}") from error


def _merge(values: dict[str, Any], more: dict[str, Any]) -> None:
    """Put tables into tables; everything else replaces."""
    for name, value in more.items():
        present = values.get(name)
        if isinstance(present, dict) and isinstance(value, dict):
            _merge(present, value)
        else:
            values[name] = value


def _overlay(values: dict[str, Any], variables: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Put `CLOCHE_SECTION__KEY` variables over the file's values.

    Returns:
        which variable gave which key, and what is wrong with those that fit none.
    """
    named: dict[str, str] = {}
    problems = []
    source = EnvSettingsSource(_Environment)
    for name, raw in variables.items():
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        field = Settings.model_fields.get(section)
        if field is None:
            problems.append(f"{name}: unknown key")
            continue
        try:
            value = source.decode_complex_value(section, field, raw) if raw[:1] in "[{" else raw
        except json.JSONDecodeError:
            problems.append(f"{name}: not valid JSON")
            continue
        if not separator:
            values[section] = value
            named[section] = name
        else:
            table = values.setdefault(section, {})
            if isinstance(table, dict):
                table[key] = value
                named[f"{section}.{key}"] = name
    return named, problems
