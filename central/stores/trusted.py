"""What a store pins when it enrols: whose orders it follows, whose signatures it asks for, whom it seals to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from central.direct.officers import current_policy
from central.home import HeadOfficeHome
from central.keys import read_recipients
from central.office_keys import read_order_key
from central.persons.keys import persons_keys
from central.wire import encode
from config.identity import encode_public


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """Reads it anew for every store: `cloche-hq keys init` and officers may come after the start."""

    home: HeadOfficeHome
    sessions: sessionmaker[Session] = field(repr=False)

    def __call__(self) -> dict[str, Any]:
        """The fields of an enrolment's answer.

        Raises:
            ClocheError: a file is missing or damaged.
        """
        recipients = read_recipients(self.home)
        with self.sessions() as session:
            officers = current_policy(session)
        return {
            "recovery": encode_public(recipients.recovery) if recipients.recovery else None,
            "hq_key": encode_public(recipients.hq) if recipients.hq else None,
            "order_key": encode(read_order_key(self.home).public_key().public_bytes_raw()),
            "officers": officers,
            "persons_key": persons_keys(self.home).public,
        }
