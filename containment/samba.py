"""Who sits behind an smbd process, and how that one client is cut off.

smbd serves each client by a child process of its own; `smbstatus --json` (Samba 4.17 and later) says which. The
address is what smbd saw: behind NAT or a terminal server several people share one. A guest share names the guest
account. A client that is cut off may connect again at once: the file must be denied as well.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass

from config.errors import ClocheError, RefusedError
from containment.processes import Outcome, parent_of, program_of, start_time

_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class SambaClient:
    """One connected client: `pid` and `started` of its own smbd, account, address without port, machine name."""

    pid: int
    started: int
    user: str
    address: str
    machine: str = ""


def clients(settings: str | None = None) -> list[SambaClient]:
    """All clients now; none where Samba is not installed. `settings` is another smb.conf.

    Raises:
        ClocheError: smbstatus failed or answered nonsense.
    """
    command = ["smbstatus", "--json", "--processes", *(["--configfile", settings] if settings else [])]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True).stdout
        sessions = json.loads(answer).get("sessions", {})
    except FileNotFoundError:
        return []
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ClocheError(f"smbstatus failed: {type(error).__name__}") from error
    found = []
    for session in sessions.values():
        pid = int(session["server_id"]["pid"])
        try:
            started = start_time(pid)
        except OSError:
            continue
        found.append(
            SambaClient(
                pid=pid,
                started=started,
                user=str(session.get("username", "")),
                address=address_of(str(session.get("hostname", ""))),
                machine=str(session.get("remote_machine", "")),
            )
        )
    return found


def client_of(pid: int, settings: str | None = None) -> SambaClient | None:
    """The client behind this smbd process, None if it serves none.

    Raises:
        ClocheError: smbstatus failed.
    """
    return next((client for client in clients(settings) if client.pid == pid), None)


def disconnect(client: SambaClient) -> Outcome:
    """End this client's own smbd by SIGTERM, on which it closes its files in order; never the parent.

    Raises:
        RefusedError: that process is not the child of another smbd: ending it would end every client's share.
    """
    try:
        descriptor = os.pidfd_open(client.pid)
    except OSError:
        return Outcome(pid=client.pid, action="gone")
    try:
        if start_time(client.pid) != client.started:
            return Outcome(pid=client.pid, action="gone", reason="another process has this number now")
        program = program_of(client.pid)
        try:
            above = program_of(parent_of(client.pid))
        except OSError:
            above = b""
        if os.path.basename(program) != b"smbd" or above != program:
            raise RefusedError(f"pid {client.pid} is not one client's smbd: not ended")
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    except (ProcessLookupError, FileNotFoundError):
        return Outcome(pid=client.pid, action="gone")
    except PermissionError as error:
        raise RefusedError(f"pid {client.pid}: may not be looked at, so not ended") from error
    finally:
        os.close(descriptor)
    return Outcome(pid=client.pid, action="disconnected", program=program)


def address_of(hostname: str) -> str:
    """`ipv4:192.0.2.7:51234` or `ipv6:2001:db8::7:51234` without family and port."""
    for family in ("ipv4:", "ipv6:"):
        if hostname.startswith(family):
            return hostname.removeprefix(family).rpartition(":")[0].strip("[]")
    return hostname
