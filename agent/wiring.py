"""Wiring, once: the agent with all its parts, handed to every operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.audit import AuditLog
from agent.inventory.store import Inventory
from agent.link.outbox import Outbox
from agent.watch.api import Watch
from config.home import Home
from config.schema import Settings
from config.text import Text
from containment.keyring import Keyring
from containment.quarantine import Quarantine


@dataclass(kw_only=True)
class Agent:
    """Everything an operation may need. Only the holder of `home/lock` has one."""

    home: Home
    settings: Settings
    text: Text
    inventory: Inventory
    audit: AuditLog
    keyring: Keyring
    quarantine: Quarantine
    watch: Watch
    outbox: Outbox
    mask: Callable[[str], str]
