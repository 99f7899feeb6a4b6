"""Sealed segments: which persons went into a package, as keyed fingerprints, for those who hold the recovery key.

A segment is an ordinary sealed file (docs/format-sealed-v1.md) of 8-byte big-endian fingerprints in ascending order; it
is made in memory, so the fingerprints never touch the disk in clear.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from config.errors import ClocheError
from containment import metadata
from containment.atomic import write_file
from containment.keys import Unlocker
from containment.sealed import seal, unseal

if TYPE_CHECKING:
    from agent.wiring import Agent


def write_segment(agent: Agent, share: str, keys: frozenset[int]) -> str:
    """Seal the fingerprints of a package; the segment's name under `state/vendors`, '' where there are none.

    Raises:
        RefusedError: there is no recovery key.
        ClocheError: it cannot be written.
    """
    if not keys:
        return ""
    content = np.sort(np.fromiter(keys, np.uint64, len(keys))).astype(">u8").tobytes()
    source, target = os.memfd_create("segment", os.MFD_CLOEXEC), os.memfd_create("sealed", os.MFD_CLOEXEC)
    folder = agent.home.state / "vendors"
    name = f"{share}.persons.cloche"
    try:
        with open(source, "wb", closefd=False) as file:
            file.write(content)
        seal(source, target, metadata.capture(source, os.fsencode(folder / name)), agent.keyring)
        folder.mkdir(mode=0o700, exist_ok=True)
        write_file(folder / name, os.pread(target, os.fstat(target).st_size, 0), 0o600)
    except OSError as error:
        raise ClocheError(f"{folder / name}: cannot be written: {error.strerror}") from error
    finally:
        os.close(source)
        os.close(target)
    return name


def read_segment(agent: Agent, name: str, unlocker: Unlocker) -> frozenset[int]:
    """The fingerprints of a package.

    Raises:
        RefusedError: the key does not fit.
        CorruptError: the segment was changed.
        ClocheError: it cannot be read.
    """
    path = agent.home.state / "vendors" / name
    target = os.memfd_create("segment", os.MFD_CLOEXEC)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            facts = unseal(descriptor, target, unlocker)
        finally:
            os.close(descriptor)
        content = os.pread(target, facts.size, 0)
    except OSError as error:
        raise ClocheError(f"{path}: cannot be read: {error.strerror}") from error
    finally:
        os.close(target)
    return frozenset(np.frombuffer(content, ">u8").astype(np.uint64).tolist())
