"""一 目标和范围: what lies where is known, explained, and not kept for longer than agreed; the rest is named."""

from __future__ import annotations

import os
from collections import Counter
from typing import ClassVar

from agent.assess.look import SHOWN, Look
from agent.assess.records import Result, bad, good, partial, say, unknown
from agent.assess.store import CollectionPoint
from agent.assess.survey import Held


class ScanAge:
    """The last whole scan of every folder in the settings, and how old it is."""

    id: ClassVar[str] = "scan_age"

    def measure(self, look: Look) -> Result:
        """See the class."""
        roots = tuple(os.fsencode(root) for root in look.agent.settings.scan.roots)
        run = look.agent.inventory.last_run(covering=roots)
        if run is None or run.ended_at is None:
            key = "assess.ev_never_scanned" if look.survey.last_run is None else "assess.ev_roots_unscanned"
            return unknown("cloche scan", say(key, roots=len(roots)))
        hours = max((look.now - run.ended_at).total_seconds() / 3600, 0.0)
        evidence = say("assess.ev_scanned", date=look.day(run.ended_at), hours=int(hours), listed=run.coverage.listed)
        fresh, old = look.limit(self.id, "fresh_hours"), look.limit(self.id, "old_hours")
        if not roots:
            return partial(0.5, "cloche scan /srv /home", evidence, say("assess.ev_no_roots"))
        if hours <= fresh:
            return good(evidence)
        if hours >= old:
            return bad("cloche scan", evidence)
        return partial((old - hours) / (old - fresh), "cloche scan", evidence)


class Unread:
    """What the last scan could not read, by cause."""

    id: ClassVar[str] = "unread"

    def measure(self, look: Look) -> Result:
        """See the class."""
        run = look.survey.last_run
        if run is None:
            return unknown("cloche scan", say("assess.ev_never_scanned", roots=0))
        coverage = run.coverage
        missed = coverage.unread + coverage.partial
        evidence = say(
            "assess.ev_coverage", listed=coverage.listed, read=coverage.read, partial=coverage.partial,
            unread=coverage.unread, skipped=coverage.skipped,
        )  # fmt: skip
        if not missed:
            return good(evidence)
        causes = Counter(
            item.reason
            for item in look.agent.inventory.items(states=("plain",))
            if item.status in ("unread", "partial") and item.last_run == run.id
        )
        named = tuple(
            say("assess.ev_cause", cause=f"@scan.reason_{cause}", count=count)
            for cause, count in causes.most_common(SHOWN)
            if cause
        )
        share = missed / max(coverage.listed, 1)
        score = max(0.0, 1 - share / (look.limit(self.id, "share") * 10))
        command = "cloche inventory list --all"
        return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)


class CollectionRegister:
    """The register of collection points, each with purpose, basis, retention and place."""

    id: ClassVar[str] = "collection_register"

    def measure(self, look: Look) -> Result:
        """See the class."""
        points = look.store.points()
        if not points:
            return unknown("cloche assess collection suggest", say("assess.ev_no_points"))
        lacking = [point for point in points if point.lacks]
        evidence = say("assess.ev_points", count=len(points), whole=len(points) - len(lacking))
        if not lacking:
            return good(evidence)
        named = tuple(
            say("assess.ev_point_lacks", name=point.name, what=f"@assess.field_{point.lacks[0]}")
            for point in lacking[:SHOWN]
        )
        command = f"cloche assess collection add {lacking[0].channel} --name {quoted(lacking[0].name)}"
        score = (len(points) - len(lacking)) / len(points)
        return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)


class CollectionExplained:
    """Findings that no point explains, and points whose store no scan has met."""

    id: ClassVar[str] = "collection_explained"

    def measure(self, look: Look) -> Result:
        """See the class."""
        points, files = look.store.points(), look.survey.files
        if not points:
            return unknown("cloche assess collection suggest", say("assess.ev_no_points"))
        strange = [file for file in files if unexplained(file, points)]
        unseen = [point for point in points if point.paths and not self._was_seen(look, point)]
        evidence = [say("assess.ev_explained", files=len(files), strange=len(strange), unseen=len(unseen))]
        evidence += look.examples(strange)
        evidence += [say("assess.ev_point_unseen", name=point.name) for point in unseen[:SHOWN]]
        if not strange and not unseen:
            return good(*evidence)
        command = "cloche assess collection check" if strange else "cloche scan"
        whole = len(files) + len(points)
        score = (whole - len(strange) - len(unseen)) / whole
        return partial(score, command, *evidence) if score else bad(command, *evidence)

    @staticmethod
    def _was_seen(look: Look, point: CollectionPoint) -> bool:
        """Every place of it was part of a scan that ended."""
        return look.agent.inventory.last_run(covering=point.paths) is not None


class RetentionKept:
    """Data older than the retention that its collection point names."""

    id: ClassVar[str] = "retention_kept"

    def measure(self, look: Look) -> Result:
        """See the class."""
        points = [point for point in look.store.points() if point.retention_days and point.paths]
        if not points:
            return unknown("cloche assess collection add member --retention-days 365 --path PATH",
                           say("assess.ev_no_retention"))  # fmt: skip
        old = outlived(look, points)
        watched = sum(any(point.holds(file.path) for point in points) for file in look.survey.files)
        evidence = say("assess.ev_retention", files=watched, old=len(old))
        if not old:
            return good(evidence)
        score = (watched - len(old)) / max(watched, 1)
        days = int(min(point.retention_days or 0 for point in points))
        command = f"cloche assess dispose --seal --older-than {days}"
        named = look.examples(old)
        return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)


class BlindSpots:
    """看不到的地方: each with an owner who has looked at it lately."""

    id: ClassVar[str] = "blind_spots"

    def measure(self, look: Look) -> Result:
        """See the class."""
        spots = look.store.spots()
        if not spots:
            return unknown("cloche assess blind suggest", say("assess.ev_no_spots"))
        overdue = [spot for spot in spots if spot.overdue(look.now) or not spot.owner]
        evidence = say("assess.ev_spots", count=len(spots), overdue=len(overdue))
        if not overdue:
            return good(evidence)
        named = tuple(
            say(
                "assess.ev_spot_overdue", name=spot.name, owner=spot.owner or "@assess.nobody",
                date=look.day(spot.attested_at) if spot.attested_at else "@assess.never",
            )
            for spot in overdue[:SHOWN]
        )  # fmt: skip
        command = f"cloche assess blind attest {quoted(overdue[0].name)}"
        score = (len(spots) - len(overdue)) / len(spots)
        return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)


def unexplained(file: Held, points: list[CollectionPoint]) -> frozenset[str]:
    """The types in a file that no collection point explains; all of them where no point stores there."""
    left = file.entities
    for point in points:
        if point.holds(file.path):
            left -= frozenset(point.entities)
    return left


def outlived(look: Look, points: list[CollectionPoint]) -> list[Held]:
    """Files in the open that are older than the longest retention of the points that store there."""
    found = []
    for file in look.survey.strays:
        limits = [point.retention_days for point in points if point.retention_days and point.holds(file.path)]
        if limits and file.age_days(look.now) > max(limits):
            found.append(file)
    return found


def quoted(name: str) -> str:
    """A name as a shell wants it."""
    import shlex

    return shlex.quote(name)
