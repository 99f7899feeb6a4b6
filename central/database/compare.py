"""What belongs to the tables of the models when a database is compared with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

PARTITION: Final = re.compile(r"^events_(\d{6}|other)$")
"""Partitions of `events`: by month, and the one for times of which no month was made."""


def is_ours(name: str | None, type_: str, parents: MutableMapping[Any, Any] | Mapping[Any, Any]) -> bool:
    """Alembic's `include_name`: partitions and what hangs on them are made beside the models."""
    table = parents.get("table_name") or name
    return type_ == "schema" or not PARTITION.match(table or "")
