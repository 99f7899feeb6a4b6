"""The guard's queue while no daemon listens."""

from __future__ import annotations

import socket
from pathlib import Path

from agent.guard.protocol import listen
from agent.guard.station import LIMIT, Station


def test_a_flood_of_accesses_pushes_no_crossing_out(tmp_path: Path) -> None:
    listener: socket.socket = listen(bytes(tmp_path / "guard.sock"))
    with listener:
        station = Station(listener)
        for number in range(LIMIT + 10):
            station.tell({"event": "access", "number": number})
        station.tell({"event": "crossing"}, urgent=True)
        assert station.waiting == LIMIT
        assert station.lost == 11
        assert station._queue[-1] == {"event": "crossing"}
