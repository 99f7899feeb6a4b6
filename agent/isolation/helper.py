"""`cloche-network`: puts up the isolation for the daemon, which has no network of its own.

One unprivileged account with CAP_NET_ADMIN and nothing else, started by systemd when somebody connects to a socket in
`/run/cloche` that root alone may open (sd_listen_fds(3)). It takes four requests, versioned and bounded: `put_up` with
addresses and ports that are checked anew here, `take_down`, `look` and `filters`. No text of a request reaches nft,
no file is read on its word, and it ends by itself when nobody asks any more.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from typing import Any, Final

from agent.frames import BrokenConnectionError, receive_frame, send_frame
from agent.isolation.hand import LARGEST, PROTOCOL, Hand, OwnHand
from config.errors import ClocheError, ExitCode, UsageError
from config.log import describe, get_logger, set_up_logging
from config.notify import notify
from containment.network import Rules, rules_of

log = get_logger("network")
FIRST_DESCRIPTOR: Final = 3
IDLE_SECONDS: Final = 60.0
REQUEST_SECONDS: Final = 5.0


def serve(listener: socket.socket, hand: Hand, *, owner: int = 0, idle: float = IDLE_SECONDS) -> None:
    """Answer, one connection after the other, until nobody has asked for `idle` seconds.

    Args:
        listener: a listening Unix stream socket.
        hand: what is done to the kernel.
        owner: uid that may ask; others are hung up on.
        idle: seconds.
    """
    listener.settimeout(idle)
    while True:
        try:
            connection, _address = listener.accept()
        except TimeoutError:
            return
        with connection, suppress(BrokenConnectionError):
            if _uid(connection) != owner:
                log.warning("a stranger was hung up on", uid=_uid(connection))
                continue
            frame, _none = receive_frame(connection, limit=LARGEST, seconds=REQUEST_SECONDS)
            connection.settimeout(REQUEST_SECONDS)
            send_frame(connection, answer(frame, hand))


def answer(frame: dict[str, Any], hand: Hand) -> dict[str, Any]:
    """Do what one request asks; the answer to it, an error included."""
    try:
        if frame.get("v") != PROTOCOL:
            raise UsageError(f"this helper speaks protocol {PROTOCOL}: restart it after an upgrade")
        match frame.get("do"):
            case "put_up":
                rules = rules_of(frame.get("rules"))
                log.info("isolation", everything=rules.everything, clients=len(rules.clients))
                return {"unknown": list(hand.put_up(rules))}
            case "take_down":
                hand.take_down()
                log.info("isolation ended")
                return {"done": True}
            case "look":
                seen = hand.look()
                rules = Rules(everything=seen.everything, seconds=seen.seconds, clients=seen.clients)
                return {"seen": rules.document(), "refused": seen.refused}
            case "filters":
                return {"filters": hand.filters()}
            case other:
                raise UsageError(f"nothing is called {str(other)[:40]!r} here")
    except ClocheError as error:
        return {"error": str(error), "exit_code": int(error.exit_code)}
    except Exception as error:  # noqa: BLE001  the boundary: one bad request must not take the helper away
        log.error("a request failed", error=describe(error))
        return {"error": "the network helper failed", "exit_code": int(ExitCode.FAILED)}


def _uid(connection: socket.socket) -> int:
    size = struct.calcsize("3i")
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def main() -> None:
    """Entry point: the socket comes from systemd."""
    set_up_logging(debug=False)
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("cloche-network is started by systemd: see cloche-network.socket")
    with socket.socket(fileno=FIRST_DESCRIPTOR) as listener:
        notify("READY=1")
        serve(listener, OwnHand())
