"""A vendor of the drill: it gets a package with canaries of its own, sells what is in it, and a trace names it.

Register, contract, package, approval and trace are the product's own operations; vendor, key and canaries are made up
and thrown away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from agent.approvals import approve, waiting
from agent.approvals.rules import RULES
from agent.drill.scene import Scene
from config.errors import ClocheError, RefusedError
from config.identity import Identity, encode_public, make_identity
from containment.package import open_package, read_files


def sold_by_vendor(scene: Scene, names: tuple[str, ...]) -> bool:
    """Share the files with a vendor, have it leak them, and trace the leak; whether the trace names that vendor.

    Raises:
        ClocheError: an operation failed.
    """
    text = scene.agent.text
    identity = make_identity("recovery")
    vendor = scene.perform(
        "vendor.add", "legal", name=text("drill.vendor_name"), service=text("drill.vendor_service"), contacts=[],
        public_key=encode_public(identity.public),
    ).document["id"]  # fmt: skip
    today = scene.clock().date()
    scene.perform(
        "vendor.contract", "legal", vendor=vendor, number="DRILL-1", begins=(today - timedelta(days=30)).isoformat(),
        ends=(today + timedelta(days=335)).isoformat(), report_hours=24, audit_right=True, sub_processors="",
        purpose=text("drill.vendor_service"),
    )  # fmt: skip
    package = scene.enclosure.folder / "package.cloche"
    _share(scene, vendor, names, package)
    sample = scene.enclosure.loot / "sample"
    sample.write_bytes(_unpacked(package, identity))
    with _opened(sample, os.O_RDONLY) as descriptor:
        answer = scene.perform(
            "vendor.trace", "security_lead", descriptors=(descriptor,), name=text("drill.vendor_sample")
        )  # fmt: skip
    found = answer.document["found"]
    return bool(found) and found[0]["vendor"] == vendor


def _share(scene: Scene, vendor: str, names: tuple[str, ...], package: Path) -> None:
    """Make the package; where somebody's word is needed, those of the plan give it, and it is tried again."""
    paths = [Path(scene.enclosure.inside(scene.enclosure.store / name)) for name in names]
    for last in (False, True):
        package.unlink(missing_ok=True)
        opened = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths]
        try:
            with _opened(package, os.O_RDWR | os.O_CREAT | os.O_EXCL) as target:
                scene.perform(
                    "vendor.share", "legal", descriptors=(target, *opened), vendor=vendor,
                    purpose=scene.agent.text("drill.vendor_service"), names=[path.name for path in paths],
                )  # fmt: skip
                return
        except RefusedError:
            if last or not _approved(scene):
                raise
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _approved(scene: Scene) -> bool:
    """Everybody who may approve what waits does; whether anything waited."""
    agent = scene.agent
    standings = list(waiting(agent))
    for standing in standings:
        for person in agent.people.holding(RULES[standing.act].roles):
            approve(agent, standing.subject, person, "account")
    return bool(standings)


def _unpacked(package: Path, identity: Identity) -> bytes:
    """The first file of a package, as its vendor reads it."""
    with _opened(package, os.O_RDONLY) as descriptor:
        parts = [data for number, data in read_files(descriptor, open_package(descriptor, identity)) if number == 0]
    if not parts:
        raise ClocheError("the package is empty")
    return b"".join(parts)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
