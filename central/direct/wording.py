"""An order in words, from its exact text: what whoever gives it confirms and what an officer reads before signing.

Made from the bytes that are signed, never from what a page remembers of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from config.officers import OfficerPolicy
from config.orders import OrderBody, read_order
from config.text import Text, load_packs

MOST_NAMES: Final = 12
LONG: Final = frozenset({"content", "people", "policy"})


def title_of(text: Text, kind: str) -> str:
    """What a kind is called."""
    return text(f"direction.kind_{kind}")


def in_words(
    text: Text, body: str, *, names: Mapping[str, str] | None = None, zone: ZoneInfo | None = None,
    files: int | None = None,
) -> list[tuple[str, str]]:  # fmt: skip
    """Label and words, line by line.

    Args:
        text: in the reader's language.
        body: the exact text of an order.
        names: of stores by id, as head office calls them; a name is no part of what is signed, so ids stand beside.
        zone: for times.
        files: how many files head office thinks it concerns, if it knows.

    Raises:
        UsageError: it is no order.
    """
    order = read_order(body)
    lines = [
        (text("hq_direct.what"), f"{title_of(text, order.kind)}{_sentence(text, order)}"),
        (text("hq_direct.stores"), stores_in_words(text, order, names or {})),
    ]
    if files is not None:
        lines.append((text("hq_direct.files"), text("hq_direct.files_known", count=files)))
    lines += [(_label(text, key), words) for key, words in _details(text, order, zone)]
    lines += [
        (text("hq_direct.case"), order.case or "–"),
        (text("hq_direct.reason"), order.reason),
        (text("hq_direct.by"), f"{order.by.name} ({order.by.person})"),
        (text("hq_direct.issued"), _time(order.issued_at, zone)),
        (text("hq_direct.expires"), _time(order.expires_at, zone)),
        (text("hq_direct.id"), order.id),
    ]
    return lines


def stores_in_words(text: Text, order: OrderBody, names: Mapping[str, str]) -> str:
    """Which stores, by name and id; how many."""
    if order.stores == "all":
        return text("hq_direct.all_stores")
    shown = [f"{names[store]} ({store})" if store in names else store for store in order.stores[:MOST_NAMES]]
    more = len(order.stores) - len(shown)
    listed = ("、" if text.language == "zh-CN" else ", ").join(shown)
    return text("hq_direct.some_stores", count=len(order.stores), names=listed + (f" … (+{more})" if more else ""))


def _sentence(text: Text, order: OrderBody) -> str:
    key = f"hq_direct.means_{order.kind}"
    return f": {text(key)}" if key in load_packs() else ""


def _details(text: Text, order: OrderBody, zone: ZoneInfo | None) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in order.params.items():
        if key == "policy":
            policy = OfficerPolicy.model_validate(value)
            people = {officer.person: officer for officer in policy.officers}
            found.append(("version", str(policy.version)))
            for officer in people.values():
                kind = text("hq_direct.from_it" if officer.it else "hq_direct.not_it")
                found.append(("officer", f"{officer.name} ({officer.person}), {kind}"))
        elif key == "people":
            names = [str(person.get("name", "")) for person in value]
            found.append(
                (key, f"{len(names)}: {', '.join(names[:MOST_NAMES])}{' …' if len(names) > MOST_NAMES else ''}")
            )
        elif key == "fields":
            found += [(text(f"law.field_{name}"), str(words)) for name, words in value.items()]
        elif key == "settings":
            found += [(name, _value(setting)) for name, setting in value.items()]
        elif key in LONG:
            found.append((key, text("hq_direct.letters", count=len(str(value)))))
        elif value not in ("", [], None):
            found.append((key, _moment(value, zone) if key.endswith("at") else _value(value)))
    return found


def _label(text: Text, key: str) -> str:
    known = f"hq_direct.field_{key}"
    return text(known) if known in load_packs() else key


def _value(value: Any) -> str:
    if isinstance(value, list):
        shown = ", ".join(str(item) for item in value[:MOST_NAMES])
        return f"{len(value)}: {shown}{' …' if len(value) > MOST_NAMES else ''}" if value else "–"
    return "–" if value is None else str(value)


def _moment(value: Any, zone: ZoneInfo | None) -> str:
    try:
        return _time(datetime.fromisoformat(str(value)), zone)
    except ValueError:
        return str(value)


def _time(moment: datetime, zone: ZoneInfo | None) -> str:
    return moment.astimezone(zone).isoformat(sep=" ", timespec="minutes")
