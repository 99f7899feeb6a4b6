"""What is shipped: our five packages and their data, nothing that a till's server should not carry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = {"agent", "scanners", "containment", "config", "central"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation", "-w", folder, CHECKOUT],
        check=True, capture_output=True,
    )  # fmt: skip
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_our_five_packages_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == OURS


def test_the_wheel_carries_units_texts_and_packs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "config/data/systemd/cloche.service" in names
    for folder in ("config/data/text", "config/data/law", "config/data/detect"):
        shipped = {name for name in names if name.startswith(folder)}
        present = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / folder).rglob("*.toml")}
        assert present <= shipped
    files = [path for path in (CHECKOUT / "central" / "database").rglob("*") if path.suffix in {".py", ".mako", ".sql"}]
    assert {str(path.relative_to(CHECKOUT)) for path in files} <= names


def test_a_foreign_package_in_the_working_folder_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "__init__.py").write_text("raise SystemExit('foreign code ran')\n")
    done = subprocess.run(
        [sys.executable, "-m", "config.sample"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[scan]" in done.stdout


def test_every_unit_runs_with_a_safe_path_and_no_new_privileges() -> None:
    for unit in (CHECKOUT / "systemd").glob("*.service"):
        text = unit.read_text()
        if unit.with_suffix(".socket").exists():  # a helper that ends when idle has no beat to watch
            text += "\nWatchdogSec=0\n"
        assert "PYTHONSAFEPATH=1" in text, unit.name
        assert "NoNewPrivileges=yes" in text, unit.name
        assert "Type=notify" in text, unit.name
        assert re.search(r"^WatchdogSec=\d+$", text, re.MULTILINE), unit.name


def test_requirements_are_pinned_with_hashes_and_name_no_index() -> None:
    for file in (CHECKOUT / "requirements").glob("*.txt"):
        text = file.read_text()
        assert "://" not in text, file.name
        for block in re.split(r"\n(?=[a-z])", text.strip()):
            assert re.match(r"^[a-z0-9._-]+==\S+ \\\n\s+--hash=sha256:", block), f"{file.name}: {block[:60]}"


def test_the_base_pulls_no_web_framework_and_no_torch() -> None:
    names = set(re.findall(r"^([a-z0-9._-]+)==", (CHECKOUT / "requirements" / "base.txt").read_text(), re.MULTILINE))
    assert not names & {"starlette", "fastapi", "flask", "django", "uvicorn", "torch", "tensorflow", "transformers"}


@pytest.mark.parametrize("module", ["agent.daemon", "agent.guard.main", "agent.link.main", "agent.commands.status"])
def test_what_stays_in_memory_imports_no_scanner_library(module: str) -> None:
    code = f"import sys, {module}\nprint(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    )
    forbidden = {"presidio_analyzer", "spacy", "python_calamine", "pypdfium2", "jieba", "docx", "starlette", "uvicorn"}
    if module == "agent.guard.main":
        forbidden |= {"pydantic", "sqlalchemy", "httpx", "numpy", "structlog"}
    assert not {name.split(".")[0] for name in loaded} & forbidden
