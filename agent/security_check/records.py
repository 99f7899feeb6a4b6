"""What a security check says: findings with their evidence, what could not be looked at, and whether it is clean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

Severity = Literal["critical", "warning", "notice"]
SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "notice")
Area = Literal[
    "uid0", "logins", "sudoers", "keys", "units", "cron", "startup", "preload", "packages", "altered", "listening",
    "modules", "writable", "remote", "firewall", "backups", "scan", "watch", "alerts", "baseline",
]  # fmt: skip
What = Literal[
    "new", "changed", "gone", "present", "allowed", "none", "old", "plain", "stale", "unclean", "reduced", "open",
    "first", "more", "unscanned",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found. `subject` and `evidence` are masked. `critical` and `warning` keep a check from clean.

    The texts `check.<area>_<what>` and `check.do_<area>` say it and what to do.
    """

    area: Area
    what: What
    severity: Severity
    subject: str = ""
    evidence: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    accepted: str = ""
    """Who took it for right, with the reason; '' where nobody did."""

    @property
    def key(self) -> str:
        """Stable name of exactly this: area, what and twelve digits of what it is about."""
        about = hashlib.sha256("\0".join((self.subject, *self.evidence)).encode()).hexdigest()[:12]
        return f"{self.area}.{self.what}.{about}"

    @property
    def blocks(self) -> bool:
        """It keeps the check from being clean."""
        return self.severity != "notice" and not self.accepted

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "key": self.key, "area": self.area, "what": self.what, "severity": self.severity, "subject": self.subject,
            "evidence": list(self.evidence), "values": self.values, "accepted": self.accepted,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One security check as stored. `unseen` are areas that could not be looked at: a check with some is not clean.

    `reduced` says that it ran without root. `baseline_at` is of what it was compared with; None: nothing before.
    """

    id: int
    at: datetime
    by: str
    incident: str
    findings: tuple[Finding, ...]
    unseen: tuple[str, ...]
    reduced: bool
    baseline_at: datetime | None

    @property
    def clean(self) -> bool:
        """Everything was looked at, and nothing that speaks of an intruder or of exposed data is left unexplained."""
        return not self.unseen and not any(finding.blocks for finding in self.findings)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Findings that keep it from being clean."""
        return tuple(finding for finding in self.findings if finding.blocks)


def finding_of(document: dict[str, Any]) -> Finding:
    """The way back of `Finding.document`."""
    return Finding(
        area=document["area"], what=document["what"], severity=document["severity"], subject=document["subject"],
        evidence=tuple(document["evidence"]), values=document["values"], accepted=document["accepted"],
    )  # fmt: skip
