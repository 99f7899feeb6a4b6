"""Both command lines: verbs are listed by hand and imported when called, so that list and modules may part."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import click
import pytest

from agent.cli import cloche
from central.cli import hq
from config.commandline import Verbs

PROGRAMS = [(cloche, "agent.commands"), (hq, "central.commands")]


@pytest.mark.parametrize(("program", "package"), PROGRAMS, ids=["cloche", "cloche-hq"])
def test_every_module_with_a_command_is_listed_and_every_listed_verb_is_there(program: Verbs, package: str) -> None:
    folder = importlib.import_module(package).__path__
    modules = {found.name: importlib.import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(folder)}
    there = {name.replace("_", "-") for name, module in modules.items() if hasattr(module, "command")}
    with click.Context(program) as context:
        assert set(program.list_commands(context)) == there
        for verb in there:
            assert isinstance(program.get_command(context, verb), click.Command)
        assert program.get_command(context, "no-such-verb") is None


@pytest.mark.parametrize("module", ["agent.cli", "central.cli"])
def test_help_imports_no_verb(module: str) -> None:
    program = (
        f"import sys; from {module} import main; sys.argv = ['test', '--help']\n"
        "try: main()\n"
        "except SystemExit: print('LOADED', *(name for name in sys.modules if '.commands.' in name))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED"
