"""Where head office is and by which certificate it knows us: written into the outbox folder by enrolment and renewal.

Read by the link alone (0640, its group): the private key in it is good for this connection and signs no report.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from config.errors import ClocheError

SETTINGS_FILE: Final = "link.json"
SCHEMA: Final = "cloche.link/1"
MAX_SETTINGS: Final = 65_536


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """`url` of head office, PEM certificate of its authority, our identifier and name there.

    `retry_seconds` and `max_retry_seconds` come from the store's settings, which the link may not read. The certificate
    came at `received_at` (ISO 8601, by our own clock) and lives for `certificate_seconds` from then on: the dates in it
    are head office's, and one of the two clocks may be wrong.
    """

    url: str
    authority_pem: str
    store: str
    name: str
    hq: str
    retry_seconds: float = 5.0
    max_retry_seconds: float = 600.0
    certificate_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    certificate_seconds: float = 0.0
    received_at: str = ""

    def encode(self) -> bytes:
        """As JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, ensure_ascii=False, indent=1).encode()


def read_enrolment(folder: Path | int) -> Enrolment | None:
    """The enrolment in an outbox folder (path or descriptor), or None if the store is not enrolled.

    Raises:
        ClocheError: the file is damaged.
    """
    path = SETTINGS_FILE if isinstance(folder, int) else str(folder / SETTINGS_FILE)
    shown = SETTINGS_FILE if isinstance(folder, int) else path
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder if isinstance(folder, int) else None
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClocheError(f"{shown}: cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_SETTINGS)
    try:
        values: Mapping[str, Any] = json.loads(content)
        return Enrolment(
            url=str(values["url"]), authority_pem=str(values["authority_pem"]), store=str(values["store"]),
            name=str(values["name"]), hq=str(values["hq"]), retry_seconds=float(values["retry_seconds"]),
            max_retry_seconds=float(values["max_retry_seconds"]),
            certificate_pem=str(values.get("certificate_pem", "")), key_pem=str(values.get("key_pem", "")),
            certificate_seconds=float(values.get("certificate_seconds", 0)),
            received_at=str(values.get("received_at", "")),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise ClocheError(f"{shown}: damaged: run cloche enrol again") from error
