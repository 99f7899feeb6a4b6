"""Errors that a user meets, each with a stable exit code.

Raise one of these or log, never both; the boundary (command line, control socket, worker pipe) turns it into
a message and a code. No message may carry a customer's value: name files, keys and lines, in masked form.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The fixed exit codes of every command. Where several apply: 1 before 10 before 3."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 3
    REFUSED = 4
    NO_DAEMON = 5
    FINDINGS = 10


class ClocheError(Exception):
    """Something failed; the message says what, where, and what to do. Base of all our errors."""

    exit_code: ExitCode = ExitCode.FAILED


class UsageError(ClocheError):
    """The call or the configuration is wrong: nothing was done."""

    exit_code = ExitCode.USAGE


class RefusedError(ClocheError):
    """Policy, permission or a missing key or confirmation forbids it: nothing was done."""

    exit_code = ExitCode.REFUSED


class NoDaemonError(ClocheError):
    """The command needs a running daemon and there is none."""

    exit_code = ExitCode.NO_DAEMON


class CorruptError(ClocheError):
    """A file of ours fails its own integrity check (forged, truncated, wrong key or bit rot)."""
