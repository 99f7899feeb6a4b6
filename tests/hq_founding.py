"""A head office founded once in a test process, and copied wherever another one would do: founding costs two processes.

Copies have one authority and one set of keys; where two head offices have to be strangers, found them by themselves.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from central.testing import call_office


@cache
def _pattern() -> tuple[Path, dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="cloche-pattern-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    office = folder / "office"
    made = call_office(office, "init", "--name", "测试总部", "--second-factor", "offered")
    call_office(office, "keys", "init", "--recovery-file", str(folder / "office.recovery"))
    return office, made


def found(folder: Path) -> dict[str, Any]:
    """Put a head office with keys into `folder` (which is not there yet); what its founding said."""
    pattern, made = _pattern()
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(pattern, folder)
    shutil.copy2(f"{pattern}.recovery", f"{folder}.recovery")
    return {**made, "home": str(folder)}
