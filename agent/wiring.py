"""Wiring, once: the agent with all its parts, handed to every operation."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.audit import AuditLog
from agent.direction.box import OrderBox
from agent.incident.timeline import Timelines
from agent.inventory.store import Inventory
from agent.link.outbox import Outbox, link_owner
from agent.messages.post import Post
from agent.people import People
from agent.reporting.state import Reporting
from agent.steady import Beat, beat_of, kernel_beat
from agent.watch.api import NoWatch, Watch
from agent.watch.events import EventStore
from agent.watch.own import OwnPrograms
from config.home import Home
from config.schema import Settings
from config.text import Text
from containment.journal import Journal
from containment.keyring import Keyring
from containment.quarantine import Quarantine
from containment.recovery import recover
from scanners.masking import mask_text


@dataclass(kw_only=True)
class Agent:
    """Everything an operation may need. Only the holder of `home/lock` has one.

    `exclusive` is held by whatever moves or seals files, one at a time. `now` is the one clock, aware and in UTC;
    `steady` counts seconds beside it that nobody can set. `moved` are incidents whose timeline has grown since head
    office was told of them; `telling` is held while one is read and told (`agent.incident.telling`).
    """

    home: Home
    settings: Settings
    text: Text
    inventory: Inventory
    events: EventStore
    audit: AuditLog
    timelines: Timelines
    journal: Journal
    keyring: Keyring
    quarantine: Quarantine
    watch: Watch
    outbox: Outbox
    post: Post
    orders: OrderBox
    own_programs: OwnPrograms
    mask: Callable[[str], str]
    now: Callable[[], datetime]
    steady: Callable[[], Beat]
    reporting: Reporting = field(default_factory=Reporting, repr=False)
    exclusive: threading.RLock = field(default_factory=threading.RLock, repr=False)
    moved: set[str] = field(default_factory=set)
    telling: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def people(self) -> People:
        """Everybody with a role."""
        return People(self.settings.people)


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


@contextmanager
def build_agent(
    home: Home,
    settings: Settings,
    watch: Watch | None = None,
    now: Callable[[], datetime] = utc_now,
    steady: Callable[[], Beat] | None = None,
) -> Iterator[Agent]:
    """The agent of this home, after recovery of whatever was cut off. The caller holds the lock.

    Args:
        home: where everything lies.
        settings: checked settings.
        watch: the daemon's watch; without one nothing is watched (a single command).
        now: the clock, aware.
        steady: the count beside it; None: the kernel's, or one that follows a clock of one's own.

    Raises:
        ClocheError: a database of a newer version, a broken journal, a folder that is not ours.
    """
    keyring = Keyring(home.keys)
    journal = Journal(home.journal)
    quarantine = Quarantine(home.vault, journal, keyring)
    inventory = Inventory(home.inventory_db)
    agent = Agent(
        home=home,
        settings=settings,
        text=Text(settings.store.language),
        inventory=inventory,
        events=EventStore(home.events_db),
        audit=AuditLog(home.audit_log, keyring.sign, now=now),
        timelines=Timelines(home.timelines, keyring.sign, now),
        journal=journal,
        keyring=keyring,
        quarantine=quarantine,
        watch=watch or NoWatch(),
        outbox=Outbox(
            home.outbox,
            keyring.sign,
            most_bytes=settings.link.max_spool_bytes,
            most_reports=settings.link.max_spool_reports,
        ),
        post=Post(home.outbox, link_owner()),
        orders=OrderBox(home.outbox, link_owner()),
        own_programs=OwnPrograms(inventory.sessions),
        mask=mask_text,
        now=now,
        steady=steady or (kernel_beat if now is utc_now else beat_of(now)),
    )
    try:
        # here, for both need the class above
        from agent.aftermath import note_recovery
        from agent.sealing.recording import note_recovered

        note_recovered(agent, recover(journal))
        note_recovery(agent, quarantine.recover())
        yield agent
    finally:
        agent.watch.close()
        agent.inventory.close()
        agent.events.close()
        agent.outbox.close()
        agent.post.close()
        agent.orders.close()
        agent.timelines.close()
        agent.audit.close()
