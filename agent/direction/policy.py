"""What head office sets here: settings over the store's own, the list of people, data packs.

Each lies in a file of its own that is written whole. Settings and packs hold from the next start of the daemon, which
starts itself anew for them; people hold at once.

People whom head office alone has put on the list (no officers signed it, and the store's own file does not say the
same) are *not vouched for*: their word by a code, a link or the page does not count for destroying something. Otherwise
whoever holds head office's key could make up two people with mailboxes of his own.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from config.direction import OVERLAY, PACKS, PEOPLE, read_direction
from config.errors import ClocheError, RefusedError, UsageError
from config.load import load_settings
from config.orders import Pack, People, faults_of
from config.overlay import lay_over, loosened
from config.packs import check_pack
from config.schema import Person, Settings
from containment.atomic import write_file

if TYPE_CHECKING:
    from agent.wiring import Agent

VERSIONS: Final = "packs.json"


def loosened_by(agent: Agent, changes: Mapping[str, Any]) -> list[str]:
    """Which settings would become weaker than they are in force here now.

    Raises:
        UsageError: together with the others they make no settings.
    """
    return loosened(agent.settings, _changed(agent, changes))


def set_settings(agent: Agent, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay changes over the store's settings; which of them are new. They hold from the next start on.

    Raises:
        UsageError: together with the others they make no settings.
        ClocheError: the disk refused it.
    """
    _changed(agent, changes)
    known: dict[str, Any] = read_direction(agent.home.direction, OVERLAY)
    merged = {key: value for key, value in {**known, **changes}.items() if value is not None}
    if merged == known:
        return {"already": True}
    _write(agent, OVERLAY, merged)
    agent.orders.again = True
    return {"changed": sorted(key for key in changes if known.get(key) != changes[key])}


def set_people(agent: Agent, wanted: People, *, signed: bool) -> dict[str, Any]:
    """Replace the list of people; `signed` by two officers.

    Raises:
        RefusedError: a newer list is known.
        ClocheError: the disk refused it.
    """
    known = read_direction(agent.home.direction, PEOPLE)
    version = int(known.get("version", 0))
    own = {person.name: person for person in load_settings(agent.home.settings_file).people}
    here = tuple(
        # accounts on this machine are the store's own affair
        person.model_copy(update={"user": own[person.name].user if person.name in own else ""})
        for person in wanted.people
    )
    rows = [person.model_dump(mode="json") for person in here]
    if version == wanted.version and known.get("people") == rows:
        return {"already": True}
    if version >= wanted.version:
        raise RefusedError(agent.text("direction.people_old", version=version))
    if len({person.name for person in wanted.people}) != len(wanted.people):
        raise UsageError(agent.text("direction.people_twice"))
    sure = {_reach(row) for row in _vouched_before(agent, known)}
    vouched = [row["name"] for row in rows if signed or _reach(row) in sure]
    _write(agent, PEOPLE, {"version": wanted.version, "people": rows, "vouched": vouched})
    agent.settings = agent.settings.model_copy(update={"people": here})
    return {"people": len(rows), "vouched": len(vouched)}


def is_vouched(agent: Agent, person: Person) -> bool:
    """Whether somebody stands on the list by more than head office's word alone."""
    known = read_direction(agent.home.direction, PEOPLE)
    return not known or person.name in known.get("vouched", ())


def set_pack(agent: Agent, wanted: Pack) -> dict[str, Any]:
    """Put a data pack in the place of the shipped one, or take it away again; it holds from the next start on.

    Raises:
        UsageError: its digest is another's, or it is no pack of this kind.
        RefusedError: a newer one is here.
        ClocheError: the disk refused it.
    """
    versions = read_direction(agent.home.direction, VERSIONS)
    here = versions.get(wanted.path, {})
    if here.get("version") == wanted.version and here.get("sha256") == wanted.sha256:
        return {"already": True}
    if int(here.get("version", 0)) >= wanted.version:
        raise RefusedError(agent.text("direction.pack_old", path=wanted.path, version=here["version"]))
    if hashlib.sha256(wanted.content.encode()).hexdigest() != wanted.sha256:
        raise UsageError(agent.text("direction.pack_digest", path=wanted.path))
    target = agent.home.direction / PACKS / wanted.path
    try:
        if wanted.content:
            content = tomllib.loads(wanted.content)
            check_pack(wanted.path, content)
            _check_form(wanted.path, content, wanted.content)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_file(target, wanted.content.encode())
        else:
            target.unlink(missing_ok=True)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{wanted.path}: not valid TOML: {error}") from error
    except OSError as error:
        raise ClocheError(f"{target}: cannot be written: {error.strerror}") from error
    _write(agent, VERSIONS, {**versions, wanted.path: {"version": wanted.version, "sha256": wanted.sha256}})
    agent.orders.again = True
    return {"pack": wanted.path, "version": wanted.version}


def _check_form(path: str, content: Mapping[str, Any], text: str) -> None:
    """By the schema of the room that reads it.

    Raises:
        UsageError: it does not fit.
    """
    folder, _, name = path.partition("/")
    try:
        if folder == "law":
            from agent.incident.law import parse_regime

            parse_regime(name.removesuffix(".toml"), text)
        elif folder == "calendar":
            from agent.incident.workdays import Calendar

            Calendar.model_validate(content)
        elif path == "plan/levels.toml":
            from agent.incident.grading import Level

            for level in content["levels"]:
                Level.model_validate(level)
        elif path == "plan/orders.toml":
            from agent.incident.orders import Template

            for order in content["orders"]:
                Template.model_validate(order)
    except ValidationError as error:
        raise UsageError(f"{path}: {faults_of(error)}") from None
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: {str(error)[:300]}") from None


def _changed(agent: Agent, changes: Mapping[str, Any]) -> Settings:
    own: dict[str, Any] = {}
    if any(value is None for value in changes.values()):
        file = load_settings(agent.home.settings_file)
        for key, value in changes.items():
            if value is None:
                section, _, name = key.partition(".")
                own[key] = getattr(getattr(file, section), name)
    try:
        return Settings.model_validate(lay_over(agent.settings.model_dump(), {**changes, **own}))
    except ValidationError as error:
        raise UsageError(faults_of(error)) from None


def _vouched_before(agent: Agent, known: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Entries that hold by the store's own file, or by officers."""
    own = [person.model_dump(mode="json") for person in load_settings(agent.home.settings_file).people]
    return [*own, *(row for row in known.get("people", ()) if row["name"] in known.get("vouched", ()))]


def _reach(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Who somebody is and how a code reaches them."""
    return row["name"], tuple(sorted(row["roles"])), row.get("email", ""), row.get("phone", "")


def _write(agent: Agent, name: str, document: Mapping[str, Any]) -> None:
    folder: Path = agent.home.direction
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        write_file(folder / name, json.dumps(document, ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise ClocheError(f"{folder / name}: cannot be written: {error.strerror}") from error
