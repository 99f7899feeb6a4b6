"""Which files an incident touches: what is named, else what the open alerts touched, else all strays.

A stray is an inventoried file that is no live database and that no protected program holds. Live databases and files
of protected programs are taken only on a person's word: named one by one, or by `--scope all`. Who holds a file is
read from procfs at this moment; a program may open it a moment later, which the guard's denial then refuses.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from agent.incident.records import Affected, Declaration, Scope
from agent.inventory.live import is_live
from agent.inventory.records import StoredItem
from agent.inventory.store import Inventory
from config.errors import UsageError
from config.home import Home
from config.schema import Settings
from containment.processes import Spared, holders

FEW: Final = 20
OWN_PREFIX: Final = b".cloche-"
TOUCHED: Final[tuple[Scope, ...]] = ("alerts", "named")
"""Scopes of files that somebody touched or named; `strays` and `all` are what could be taken, not what was."""
Why = Literal["live", "protected", "reserved"]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file that is touched and yet not taken, and why. `name` is masked."""

    name: str
    why: Why


@dataclass(frozen=True, kw_only=True)
class AffectedSet:
    """What a declaration would contain (`items`), and what was touched and stays where trade needs it (`left`).

    `persons` and `types` are of both; a person counts once a file, unless one whole scan knows better.
    """

    scope: Scope
    items: tuple[Affected, ...]
    left_out: tuple[LeftOut, ...] = ()
    left: tuple[Affected, ...] = ()
    persons: int = 0
    types: tuple[str, ...] = ()
    on_a_word: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Paths that a person named one by one, or all of them by `--scope all`: taken even if live or protected."""

    @property
    def all(self) -> tuple[Affected, ...]:
        """Whatever the incident is about: a leak out of the till's own database is one too."""
        return (*self.items, *self.left)


@dataclass(frozen=True, kw_only=True)
class _Found:
    path: bytes = field(repr=False)
    item: StoredItem | None
    named: bool = False


class Affection:
    """Chooses the affected files of a declaration from inventory, alerts and the disk."""

    def __init__(
        self, inventory: Inventory, settings: Settings, home: Home, tombstones: frozenset[bytes] = frozenset()
    ) -> None:
        """`tombstones` are notes that stand where quarantined files were: nobody's data."""
        self._tombstones = tombstones
        self._inventory = inventory
        self._settings = settings
        self._own = os.fsencode(home.state) + b"/"

    def choose(self, declaration: Declaration, mask: Callable[[str], str]) -> AffectedSet:
        """The set, by the declaration's scope.

        Raises:
            UsageError: a named path does not exist or is no file or folder, or `named` was asked without a path.
        """
        scope = declaration.scope or self._default(declaration)
        found = list(self._found(scope, declaration))
        on_a_word = {entry.path for entry in found if not declaration.machine and (scope == "all" or entry.named)}
        held = self._held_by_protected([entry.path for entry in found])
        parts = self._parts(found)
        items: list[Affected] = []
        left_out: list[LeftOut] = []
        left: list[Affected] = []
        runs: set[int] = set()
        for entry in found:
            why = self._left_out(entry, held, on_a_word)
            name = mask(os.fsdecode(entry.path))
            known = [entry.item, *parts[entry.path]] if entry.item else []
            item = Affected(
                key=entry.item.key if entry.item else "", path=entry.path, name=name,
                persons=max((part.persons for part in known), default=0),
                types=tuple(sorted({entity for part in known for entity in part.entities})),
            )  # fmt: skip
            if why is None:
                items.append(item)
            else:
                left_out.append(LeftOut(name=name, why=why))
                if scope in TOUCHED and why != "reserved" and item.key:
                    left.append(replace(item, state="left"))
                else:
                    continue
            runs.add(entry.item.last_run if entry.item else -1)
        return AffectedSet(
            scope=scope, items=tuple(items), left_out=tuple(left_out), left=tuple(left),
            persons=self._together([*items, *left], runs),
            types=tuple(sorted({kind for item in (*items, *left) for kind in item.types})),
            on_a_word=frozenset(on_a_word),
        )  # fmt: skip

    def _default(self, declaration: Declaration) -> Scope:
        if declaration.paths:
            return "named"
        return "alerts" if any(True for _ in self._alerted()) else "strays"

    def _found(self, scope: Scope, declaration: Declaration) -> Iterator[_Found]:
        seen: set[bytes] = set()
        for entry in self._of_scope(scope, declaration):
            if entry.path not in seen:
                seen.add(entry.path)
                yield entry

    def _of_scope(self, scope: Scope, declaration: Declaration) -> Iterator[_Found]:
        match scope:
            case "named":
                if not declaration.paths:
                    raise UsageError("--scope named needs at least one --path")
                yield from self._named(declaration.paths)
            case "alerts":
                yield from self._alerted()
            case "strays" | "all":
                for item in self._inventory.items(states=("plain", "fenced")):
                    if item.container is None and (item.findings or item.persons or item.level > 1):
                        yield _Found(path=item.path, item=item)

    def _named(self, paths: Sequence[bytes]) -> Iterator[_Found]:
        for path in paths:
            shown = os.fsdecode(path)
            try:
                mode = os.lstat(path).st_mode
            except OSError as error:
                raise UsageError(f"{shown}: {error.strerror}") from error
            if stat.S_ISREG(mode):
                yield self._at(path, named=True)
            elif stat.S_ISDIR(mode):
                for file in regular_files(path):
                    if file not in self._tombstones and not os.path.basename(file).startswith(OWN_PREFIX):
                        yield self._at(file)
            else:
                raise UsageError(f"{shown}: is no file and no folder")

    def _at(self, path: bytes, *, named: bool = False) -> _Found:
        item = self._inventory.item_at(path)
        return _Found(path=path, item=item if item and item.path == path else None, named=named)

    def _alerted(self) -> Iterator[_Found]:
        for key in {key for alert in self._inventory.alerts() for key in alert.keys}:
            for item in self._inventory.items_of(key):
                if item.container is None and item.state in ("plain", "fenced"):
                    yield _Found(path=item.path, item=item)

    def _left_out(self, entry: _Found, held: set[bytes], on_a_word: set[bytes]) -> Why | None:
        if entry.path.startswith(self._own):
            return "reserved"
        if entry.path in on_a_word:
            return None
        if entry.path in held:
            return "protected"
        kind = entry.item.kind if entry.item else ("sqlite" if is_sqlite(entry.path) else "other")
        return "live" if is_live(entry.path, kind) else None

    def _held_by_protected(self, paths: Sequence[bytes]) -> set[bytes]:
        programs = self._settings.watch.protected_programs
        if not programs or not paths:
            return set()
        names = Spared.of((), programs)
        return {path for holder in holders(paths) if names.spares(holder.pid, holder.program) for path in holder.paths}

    def _parts(self, found: Sequence[_Found]) -> dict[bytes, list[StoredItem]]:
        """Members and tables in these files, by file: a look at each of a few, else one pass over the inventory."""
        wanted = {entry.path for entry in found if entry.item is not None}
        parts: dict[bytes, list[StoredItem]] = {path: [] for path in wanted}
        roots = sorted(wanted) if len(wanted) <= FEW else [None]
        for root in roots:
            for item in self._inventory.items(states=("plain", "fenced"), under=root):
                if item.container in wanted:
                    parts[item.container].append(item)
        return parts

    def _together(self, items: Sequence[Affected], runs: set[int]) -> int:
        """One scan that met all of them told persons apart across files: never more than it counted."""
        total = sum(item.persons for item in items)
        last = self._inventory.last_run()
        if last is None or runs != {last.id}:
            return total
        return max(min(total, last.persons), max((item.persons for item in items), default=0))


def regular_files(folder: bytes) -> Iterator[bytes]:
    """Regular files under a folder, following no link, sorted within each folder."""
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield path
            except OSError:
                continue


def is_sqlite(path: bytes) -> bool:
    """By its first bytes (https://www.sqlite.org/fileformat.html); a file that cannot be read is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.read(descriptor, 16) == b"SQLite format 3\0"
    finally:
        os.close(descriptor)
