"""二.3 信息存储不当: what is sealed, what lies about for too long, backups, keys, and whether a restore works."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from agent.assess.look import Look
from agent.assess.measures.exposure import judged
from agent.assess.records import Result, bad, good, partial, say, unknown
from agent.assess.survey import Held

EXPORTS: Final = frozenset({"csv", "json", "sql_dump", "spreadsheet", "document", "pdf", "archive", "text", "mail"})
BACKUP_NAME: Final = re.compile(r"backup|bak\b|dump|备份|archive|snapshot", re.IGNORECASE)


class SealedShare:
    """Persons whose data is sealed, of all persons whose data no program works on."""

    id: ClassVar[str] = "sealed_share"

    def measure(self, look: Look) -> Result:
        """See the class."""
        files = look.survey.files
        if look.survey.last_run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        open_now = look.survey.strays
        safe = [file for file in files if file.state in ("sealed", "vault")]
        live = [file for file in files if file.state == "plain" and (file.live or file.is_database)]
        plain, sealed = sum(file.persons for file in open_now), sum(file.persons for file in safe)
        evidence = say(
            "assess.ev_sealed", plain=len(open_now), plain_persons=look.survey.persons_in(open_now),
            sealed=len(safe), live=len(live),
        )  # fmt: skip
        if not open_now:
            return good(evidence)
        roots = " ".join(look.agent.settings.scan.roots) or "PATH"
        command = f"cloche protect --only-findings {roots}"
        named = look.examples(open_now)
        score = sealed / max(sealed + plain, 1)
        return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)


class StaleExports:
    """Exports in the open that nobody has changed for long: the leak that waits."""

    id: ClassVar[str] = "stale_exports"

    def measure(self, look: Look) -> Result:
        """See the class."""
        if look.survey.last_run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        days = look.limit(self.id, "days")
        old = [file for file in look.survey.strays if is_stale(file, look.now, days)]
        return judged(look, self.id, old, "assess.ev_stale",
                      f"cloche assess dispose --seal --older-than {days:.0f}", int(days))  # fmt: skip


class PlainBackups:
    """Backups and dumps with customer information that are not sealed."""

    id: ClassVar[str] = "plain_backups"

    def measure(self, look: Look) -> Result:
        """See the class."""
        if look.survey.last_run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        plain = [file for file in look.survey.strays if is_backup(file)]
        return judged(look, self.id, plain, "assess.ev_backups", "cloche assess dispose --seal --backups")


class SealingMode:
    """Whether the daemon seals by itself, or only says what it would seal."""

    id: ClassVar[str] = "sealing_mode"

    def measure(self, look: Look) -> Result:
        """See the class."""
        mode = look.agent.settings.protect.mode
        if mode == "protect":
            return good(say("assess.ev_mode_protect", level=look.agent.settings.protect.min_level))
        return bad(look.edit, say("assess.ev_mode_observe"))


class Keys:
    """A recovery key whose private half was proved to be kept, and was tried lately."""

    id: ClassVar[str] = "keys"

    def measure(self, look: Look) -> Result:
        """See the class."""
        if not look.agent.keyring.ready:
            return bad("cloche keys init", say("assess.ev_no_keys"))
        ids = ", ".join(recipient.id for recipient in look.agent.keyring.recipients)
        evidence = [say("assess.ev_keys", ids=ids)]
        proved = last_act(look, "keys.init", "keys.rotate")
        if proved is not None:
            evidence.append(say("assess.ev_keys_proved", date=look.day(proved[0])))
        tried, sheet = last_act(look, "keys.recover"), look.attested("key_sheet")
        since = look.now - timedelta(days=look.limit(self.id, "days"))
        if tried is not None and tried[0] > since:
            return good(*evidence, say("assess.ev_keys_tried", date=look.day(tried[0]), opens=tried[1].get("opens", 0)))
        if sheet is not None and sheet.ok:
            return good(*evidence, look.word(sheet))
        return partial(look.limit(self.id, "unproved"), "cloche keys recover --key-file FILE", *evidence,
                       say("assess.ev_keys_untried"))  # fmt: skip


class Backups:
    """Backup equipment (五.1): a program or a schedule on this machine, or a person's word."""

    id: ClassVar[str] = "backups"

    def measure(self, look: Look) -> Result:
        """See the class."""
        word = look.attested("backup")
        folders = look.agent.settings.check.backups
        if folders:
            return self._in_folders(look, folders)
        seen = look.machine.programs("backup")
        named = tuple(say("assess.ev_program", product=one.product, where=f"@assess.where_{one.where}") for one in seen)
        if word is not None:
            return good(look.word(word), *named) if word.ok else bad("cloche assess attest backup", look.word(word))
        if seen:
            return partial(look.limit(self.id, "seen"), "cloche assess attest backup", *named)
        return unknown("cloche assess attest backup", say("assess.ev_no_backup"))

    @staticmethod
    def _in_folders(look: Look, folders: Sequence[str]) -> Result:
        """The settings say where backups lie: the newest of each must be new."""
        from agent.security_check.upkeep import backups

        wrong = [one for one in backups(look.agent, look.now) if one.what in ("none", "old")]
        evidence = say("assess.ev_backup_folders", count=len(folders), wrong=len(wrong))
        if not wrong:
            return good(evidence)
        named = tuple(
            say("assess.ev_backup_old", folder=one.subject, days=one.values.get("days", "–")) for one in wrong
        )  # fmt: skip
        score = 1 - len(wrong) / len(folders)
        return partial(score, "cloche check", evidence, *named) if score > 0 else bad("cloche check", evidence, *named)


class RestoreTest:
    """A restore that was tried (五.1): equipment that was never tried is hope."""

    id: ClassVar[str] = "restore_test"

    def measure(self, look: Look) -> Result:
        """See the class."""
        word = look.attested("restore")
        if word is not None:
            return good(look.word(word)) if word.ok else bad("cloche assess attest restore", look.word(word))
        last = next(iter(look.store.attestations("restore")), None)
        if last is not None:
            return bad("cloche assess attest restore", say("assess.ev_restore_old", days=look.days_since(last.at)))
        return unknown("cloche assess attest restore", say("assess.ev_restore_never"))


def is_stale(file: Held, now: datetime, days: float) -> bool:
    """An export that has not changed for `days`."""
    return file.kind in EXPORTS and file.age_days(now) > days


def is_backup(file: Held) -> bool:
    """A dump or an archive, or a file whose name or folder says that it is a backup."""
    name = os.fsdecode(b"/".join(file.path.split(b"/")[-2:]))
    return file.kind in ("sql_dump", "archive") or BACKUP_NAME.search(name) is not None


def last_act(look: Look, *acts: str) -> tuple[datetime, dict[str, Any]] | None:
    """When one of these acts was last recorded, with its details; damaged lines are passed over here."""
    found = None
    wanted = tuple(f'"act":"{act}"'.encode() for act in acts)
    try:
        with look.agent.home.audit_log.open("rb") as log:
            for line in log:
                if any(act in line for act in wanted):
                    found = line
    except OSError:
        return None
    if found is None:
        return None
    try:
        entry = json.loads(found)
        return datetime.fromisoformat(entry["time"]), dict(entry["details"])
    except (ValueError, KeyError, TypeError):
        return None
