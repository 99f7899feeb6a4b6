"""Settings that head office may change on a store, and which way each of them is the stricter one.

Everything else stays the store's own: paths, people's accounts, senders, what the isolation keeps, which programs are
protected. A change that makes any of these weaker *loosens*; the store finds that out by itself, from what is in force
there, and wants two officers' signatures for it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import ValidationError

from config.errors import UsageError
from config.schema import Settings

Way = Literal["higher", "lower", "shorter", "even"]


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """One setting. `way`: a higher (lower) value is stricter; `shorter`: fewer hours are; `even`: neither.

    `ranks` puts words in order, the weakest first.
    """

    way: Way
    ranks: tuple[str, ...] = ()

    def loosens(self, before: Any, after: Any) -> bool:
        """Whether going from `before` to `after` is weaker."""
        if before == after or self.way == "even":
            return False
        old, new = self._rank(before), self._rank(after)
        return new < old if self.way == "higher" else new > old

    def _rank(self, value: Any) -> float:
        if self.ranks:
            return self.ranks.index(value)
        if self.way == "shorter":
            return sum(_minutes(span) for span in value)
        return float(value)


ALLOWED: Final[dict[str, Allowed]] = {
    "watch.enabled": Allowed(way="higher"),
    "watch.response": Allowed(way="higher", ranks=("alert", "stop", "declare")),
    "watch.decoy_response": Allowed(way="higher", ranks=("alert", "stop", "declare")),
    "watch.max_files": Allowed(way="lower"),
    "watch.max_persons": Allowed(way="lower"),
    "watch.window_seconds": Allowed(way="higher"),
    "protect.mode": Allowed(way="higher", ranks=("observe", "protect")),
    "protect.min_level": Allowed(way="lower"),
    "protect.quiet_minutes": Allowed(way="lower"),
    "scan.interval_hours": Allowed(way="lower"),
    "scan.names": Allowed(way="higher"),
    "store.trading_hours": Allowed(way="shorter"),
    "detect.threshold": Allowed(way="lower"),
    "respond.contain": Allowed(way="higher"),
    "respond.stop_holders": Allowed(way="higher"),
    "respond.answer_minutes": Allowed(way="lower"),
    "isolate.on_declare": Allowed(way="higher"),
}  # fmt: skip
"""The explicit list, by `section.key`. `None` as a value gives a setting back to the store's own file."""


def check_overlay(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of allowed settings, each as the schema reads it.

    Raises:
        UsageError: a setting that is not head office's to change, or a value that it cannot have.
    """
    for key in values:
        if key not in ALLOWED:
            raise UsageError(f"{key[:80]}: is not among the settings that head office changes")
    chosen = {key: value for key, value in values.items() if value is not None}
    try:
        Settings.model_validate(_nested(chosen))
    except ValidationError as error:
        faults = [".".join(map(str, fault["loc"])) + ": " + fault["msg"] for fault in error.errors()]
        raise UsageError("; ".join(faults)[:600]) from None
    return dict(values)


def lay_over(values: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """A settings document with an overlay on it; both stay as they were."""
    result: dict[str, Any] = copy.deepcopy(dict(values))
    for key, value in overlay.items():
        if key in ALLOWED and value is not None:
            section, _, name = key.partition(".")
            table = result.setdefault(section, {})
            if isinstance(table, dict):
                table[name] = value
    return result


def loosened(before: Settings, after: Settings) -> list[str]:
    """The settings that are weaker in `after`, as `section.key`."""
    return [key for key, rule in ALLOWED.items() if rule.loosens(_value(before, key), _value(after, key))]


def loosens_defaults(values: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> list[str]:
    """The settings that are weaker than what is known of a store, else than what ships, or go back to its own file.

    Head office's estimate: what is in force on a store only the store knows.
    """
    base = lay_over({}, known or {})
    before, after = Settings.model_validate(base), Settings.model_validate(lay_over(base, values))
    return [*loosened(before, after), *(key for key, value in values.items() if value is None and key in ALLOWED)]


def _value(settings: Settings, key: str) -> Any:
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)


def _nested(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        nested.setdefault(section, {})[name] = value
    return nested


def _minutes(span: str) -> float:
    first, _, last = span.partition("-")
    begin, end = (datetime.strptime(text, "%H:%M") for text in (first, last))  # noqa: DTZ007  a time of day
    return ((end - begin).total_seconds() / 60) % 1440
