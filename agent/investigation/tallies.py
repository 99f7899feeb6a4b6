"""Count in events.db, which may hold a million rows, without bringing them into memory.

A connection of its own, for reading; what is counted lies in temporary tables that go with it
(https://www.sqlite.org/lang_createtable.html). An actor is an account at a terminal: a Samba client counts as one
whatever its sessions were, a local account by its session.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from config.errors import ClocheError

STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
"""Lengths that a bin of a picture may have, in seconds."""
MOST_BINS: Final = 96
LISTED_CROSSINGS: Final = 200
LISTED_GAPS: Final = 20
_ACTOR: Final = "user, uid, client_user, address, terminal"
_MET: Final = """
    CREATE TEMP TABLE met AS
    SELECT user, uid, client_user, client_address AS address,
           CASE WHEN client_address = '' AND client_user = '' THEN session ELSE '' END AS terminal,
           program, e.key AS key, MIN(session) AS session, COUNT(DISTINCT session) AS sessions,
           MIN(at) AS first, MAX(at) AS last, COUNT(*) AS events, MIN(id) AS first_id,
           SUM(decision = 'deny') AS refused,
           SUM(decision <> 'deny' AND operation IN ('open', 'read')) AS got,
           SUM(decision <> 'deny' AND operation IN ('modify', 'delete', 'move')) AS changed,
           MAX(session <> '' AND session IN (SELECT session FROM suspects)) AS suspect
    FROM main.events e JOIN affected a ON a.key = e.key
    WHERE e.kind IN ('access', 'crossing') AND e.at BETWEEN ? AND ?
    GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


@dataclass(frozen=True, kw_only=True)
class ActorTally:
    """An actor's numbers. Times are Unix seconds; names as the event store has them, masked there."""

    key: tuple[str, int, str, str, str]
    session: str
    sessions: int
    first: float
    last: float
    files: int
    persons: int
    size: int
    events: int
    refused: int
    changed: int
    suspect: bool


@dataclass(frozen=True, kw_only=True)
class ProgramTally:
    """What one actor did by one program."""

    program: bytes
    command: bytes
    first: float
    last: float
    files: int
    persons: int
    events: int
    refused: int
    changed: int


class Tallies:
    """The events of the affected files between two moments, counted."""

    def __init__(self, connection: sqlite3.Connection, since: float, until: float) -> None:
        self._connection = connection
        self.since = since
        self.until = until

    @classmethod
    @contextmanager
    def of(
        cls,
        path: Path,
        affected: Iterable[tuple[str, int, int]],
        suspects: Iterable[str],
        span: tuple[float, float],
    ) -> Iterator[Self]:
        """Open events.db and count.

        Args:
            path: of events.db.
            affected: key, persons and size (bytes) of each affected item.
            suspects: sessions that broke a rule.
            span: from, to; Unix seconds, both included.

        Raises:
            ClocheError: it cannot be read.
        """
        try:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        except sqlite3.Error as error:
            raise ClocheError(f"{path}: cannot be read: {type(error).__name__}") from error
        try:
            connection.execute("CREATE TEMP TABLE affected (key TEXT PRIMARY KEY, persons INT, size INT) WITHOUT ROWID")
            connection.execute("CREATE TEMP TABLE suspects (session TEXT PRIMARY KEY) WITHOUT ROWID")
            connection.executemany("INSERT OR REPLACE INTO affected VALUES (?, ?, ?)", affected)
            connection.executemany("INSERT OR IGNORE INTO suspects VALUES (?)", ((session,) for session in suspects))
            connection.execute(_MET, span)
            connection.execute(f"CREATE INDEX met_actor ON met ({_ACTOR})")
            yield cls(connection, *span)
        except sqlite3.Error as error:
            raise ClocheError(f"{path}: cannot be counted: {type(error).__name__}") from error
        finally:
            connection.close()

    def totals(self) -> tuple[int, int, int, int]:
        """How many actors, events, files with a trace, and files that somebody got."""
        row = self._connection.execute(
            f"""SELECT (SELECT COUNT(*) FROM (SELECT DISTINCT {_ACTOR} FROM met)), COALESCE(SUM(events), 0),
                       COUNT(DISTINCT key), COUNT(DISTINCT CASE WHEN got > 0 THEN key END) FROM met"""  # noqa: S608  names of our own
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2]), int(row[3])

    def left(self) -> tuple[int, int, int, int]:
        """What suspects got: files, persons, bytes; and how many actors are suspects."""
        row = self._connection.execute(
            f"""SELECT COUNT(*), COALESCE(SUM(persons), 0), COALESCE(SUM(size), 0),
                       (SELECT COUNT(*) FROM (SELECT {_ACTOR} FROM met GROUP BY {_ACTOR} HAVING MAX(suspect)))
                FROM affected WHERE key IN (SELECT key FROM met WHERE got > 0 AND ({_ACTOR}) IN
                    (SELECT {_ACTOR} FROM met WHERE suspect))"""  # noqa: S608
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2]), int(row[3])

    def actors(self, most: int) -> list[ActorTally]:
        """Suspects first, then by files."""
        rows = self._connection.execute(
            f"""SELECT {_ACTOR}, MIN(session), MAX(sessions), MIN(first), MAX(last), COUNT(DISTINCT read_key),
                       SUM(events), SUM(refused), SUM(changed), MAX(suspect)
                FROM (SELECT *, CASE WHEN got > 0 THEN key END AS read_key FROM met) GROUP BY {_ACTOR}
                ORDER BY MAX(suspect) DESC, COUNT(DISTINCT read_key) DESC, SUM(events) DESC, MIN(first) LIMIT ?""",  # noqa: S608
            (most,),
        ).fetchall()
        return [
            ActorTally(
                key=tuple(row[:5]), session=row[5], sessions=row[6], first=row[7], last=row[8],
                files=row[9], persons=persons, size=size, events=row[10], refused=row[11], changed=row[12],
                suspect=bool(row[13]),
            )
            for row in rows
            for persons, size in [self._weight(row[:5])]
        ]  # fmt: skip

    def _weight(self, actor: tuple[object, ...]) -> tuple[int, int]:
        row = self._connection.execute(
            """SELECT COALESCE(SUM(persons), 0), COALESCE(SUM(size), 0) FROM affected WHERE key IN
               (SELECT key FROM met WHERE got > 0 AND user = ? AND uid = ? AND client_user = ? AND address = ?
                AND terminal = ?)""",
            actor,
        ).fetchone()
        return int(row[0]), int(row[1])

    def programs(self, actor: tuple[str, int, str, str, str], most: int) -> list[ProgramTally]:
        """By which programs one actor did it, the busiest first."""
        rows = self._connection.execute(
            """SELECT counted.*, (SELECT command FROM main.events WHERE id = counted.first_id) FROM
               (SELECT program, MIN(first), MAX(last), COUNT(DISTINCT CASE WHEN got > 0 THEN met.key END) AS files,
                      COALESCE(SUM(CASE WHEN got > 0 THEN persons END), 0), SUM(events) AS events,
                      SUM(refused), SUM(changed), MIN(first_id) AS first_id
               FROM met JOIN affected USING (key)
               WHERE user = ? AND uid = ? AND client_user = ? AND address = ? AND terminal = ?
               GROUP BY program ORDER BY files DESC, events DESC LIMIT ?) AS counted""",
            (*actor, most),
        )
        return [
            ProgramTally(
                program=row[0], first=row[1], last=row[2], files=row[3], persons=row[4], events=row[5],
                refused=row[6], changed=row[7], command=row[9] or b"",
            )
            for row in rows
        ]  # fmt: skip

    def files(self, most: int) -> tuple[list[str], int]:
        """Keys of the files that suspects (without any: anybody) got, those with most persons first; how many more."""
        suspected = "WHERE suspect AND got > 0" if self.left()[0] else ""
        chosen = f"SELECT DISTINCT key FROM met {suspected}"  # noqa: S608  names of our own
        keys = [
            row[0]
            for row in self._connection.execute(
                f"SELECT key FROM affected WHERE key IN ({chosen}) ORDER BY persons DESC, key LIMIT ?",  # noqa: S608
                (most,),
            )
        ]
        total = self._connection.execute(f"SELECT COUNT(*) FROM ({chosen})").fetchone()[0]  # noqa: S608
        return keys, int(total) - len(keys)

    def touched(self, actor: tuple[str, int, str, str, str], program: bytes, keys: list[str]) -> dict[str, int]:
        """Which of `keys` (1 each) an actor met by a program, and under '' how many others."""
        rows = self._connection.execute(
            """SELECT CASE WHEN key IN (SELECT value FROM json_each(?)) THEN key ELSE '' END, COUNT(DISTINCT key)
               FROM met WHERE user = ? AND uid = ? AND client_user = ? AND address = ? AND terminal = ? AND program = ?
               GROUP BY 1""",
            (json.dumps(keys), *actor, program),
        )
        return {row[0]: int(row[1]) for row in rows}

    def bins(self, declared: float | None = None) -> tuple[float, list[tuple[float, int, int]]]:
        """Accesses over time: the step in seconds, and start, got and refused of each step that had any.

        From the first trace of a suspect to the last one; of anybody where nobody is suspected. To the declaration,
        where that followed soon.
        """
        suspected = "WHERE suspect" if self.left()[3] else ""
        first, last = self._connection.execute(f"SELECT MIN(first), MAX(last) FROM met {suspected}").fetchone()  # noqa: S608
        if first is None:
            return 0.0, []
        if declared is not None and last < declared <= last + max(60.0, (last - first) / 2):
            last = declared
        step = float(next((step for step in STEPS if (last - first) / step < MOST_BINS), STEPS[-1]))
        start = first - first % step
        rows = self._connection.execute(
            """SELECT CAST((at - ?) / ? AS INT), SUM(decision <> 'deny'), SUM(decision = 'deny')
               FROM main.events e JOIN affected USING (key)
               WHERE kind IN ('access', 'crossing') AND at BETWEEN ? AND ? GROUP BY 1 ORDER BY 1""",
            (start, step, start, last),
        )
        found = {int(row[0]): (int(row[1]), int(row[2])) for row in rows}
        ends = {0, int((last - start) / step)}
        return step, [(start + place * step, *found.get(place, (0, 0))) for place in sorted({*found, *ends})]

    def crossings(self) -> Iterator[tuple[float, tuple[str, int, str, str, str], dict[str, object]]]:
        """Broken rules that concern an affected file: when, by which actor, details; the first `LISTED_CROSSINGS`."""
        rows = self._connection.execute(
            """SELECT at, user, uid, client_user, client_address,
                      CASE WHEN client_address = '' AND client_user = '' THEN session ELSE '' END, details
               FROM main.events e WHERE kind = 'crossing' AND at BETWEEN ? AND ? AND (key IN (SELECT key FROM affected)
                    OR EXISTS (SELECT 1 FROM json_each(details, '$.keys') k JOIN affected a ON a.key = k.value))
               ORDER BY id LIMIT ?""",
            (self.since, self.until, LISTED_CROSSINGS),
        )
        for row in rows:
            yield row[0], tuple(row[1:6]), json.loads(row[6] or "{}")

    def gaps(self) -> tuple[int, list[float]]:
        """How often something may have happened unseen, and when; the first `LISTED_GAPS`."""
        span = (self.since, self.until)
        rows = self._connection.execute(
            "SELECT at FROM main.events WHERE kind = 'gap' AND at BETWEEN ? AND ? ORDER BY at LIMIT ?",
            (*span, LISTED_GAPS),
        ).fetchall()
        count = self._connection.execute(
            "SELECT COUNT(*) FROM main.events WHERE kind = 'gap' AND at BETWEEN ? AND ?", span
        ).fetchone()[0]
        return int(count), [row[0] for row in rows]

    def watched_since(self) -> float | None:
        """The oldest event that is kept."""
        found: float | None = self._connection.execute("SELECT MIN(at) FROM main.events").fetchone()[0]
        return found

    def earliest(self, actors: Iterable[tuple[str, int, str, str, str]]) -> float | None:
        """The first trace of these accounts and terminals on an affected file, however long ago."""
        found = [
            self._connection.execute(
                """SELECT MIN(at) FROM main.events e JOIN affected USING (key)
                   WHERE kind IN ('access', 'crossing') AND user = ? AND uid = ? AND client_user = ?
                   AND client_address = ? AND at <= ?""",
                (*actor[:4], self.until),
            ).fetchone()[0]
            for actor in actors
        ]
        return min((moment for moment in found if moment is not None), default=None)

    def habits(self) -> dict[bytes, int]:
        """On how many days of the month before each program met affected files."""
        rows = self._connection.execute(
            """SELECT program, COUNT(DISTINCT CAST(at / 86400 AS INT)) FROM main.events e JOIN affected USING (key)
               WHERE kind IN ('access', 'crossing') AND at BETWEEN ? AND ? GROUP BY program""",
            (self.since - 30 * 86_400, self.since),
        )
        return {row[0]: int(row[1]) for row in rows}
