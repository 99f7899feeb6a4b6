"""Figures for Prometheus that several processes of one server keep together.

prometheus_client does it with files of a folder, and looks for that folder's name in the environment when it is
imported: so this comes before.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Final

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"


@contextlib.contextmanager
def shared_figures(processes: int) -> Iterator[None]:
    """While it lasts, what is counted is the sum of all processes, if there are several."""
    if processes == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="cloche-hq-figures-") as folder:
        os.environ[FOLDER] = folder
        yield


def forget_figures(pid: int) -> None:
    """What a process that ended held at this moment, it holds no more; what it counted stays counted."""
    if FOLDER in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]
