"""The hand that puts up rules: our own, or the helper's where this process has no network to cut.

The service's daemon lives in a network namespace with nothing in it (`PrivateNetwork=yes`): rules that it put up there
would cut nothing and look as if they did. So it asks `cloche-network`, a helper with one capability, over a socket
that root alone reaches; a command without a daemon does it itself, in the namespace that it runs in.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Final, Protocol

from agent.frames import BrokenConnectionError, receive_frame, send_frame
from config.errors import ClocheError, ExitCode, RefusedError
from config.home import Home
from containment import network
from containment.allowlist import looked_up
from containment.network import Rules, Seen

PROTOCOL: Final = 1
LARGEST: Final = 1 << 18
SECONDS: Final = 30.0


class Hand(Protocol):
    """What cuts and looks."""

    def put_up(self, rules: Rules) -> tuple[str, ...]:
        """Cut exactly this; the names in it that nobody knew now.

        Raises:
            ClocheError: the kernel, the helper or a missing right refused: what stood before stands.
        """
        ...

    def take_down(self) -> None:
        """Cut nothing.

        Raises:
            ClocheError: as `put_up`.
        """
        ...

    def look(self) -> Seen:
        """What the kernel cuts.

        Raises:
            ClocheError: it cannot be seen.
        """
        ...

    def filters(self) -> int:
        """How many rules other firewalls have on what arrives.

        Raises:
            ClocheError: it cannot be seen.
        """
        ...


class OwnHand:
    """By nft, in the network namespace of this process."""

    def put_up(self, rules: Rules) -> tuple[str, ...]:
        """See `Hand`."""
        allowed, unknown = looked_up(rules.allowed)
        network.put_up(
            Rules(
                everything=rules.everything, seconds=rules.seconds, allowed=allowed, clients=rules.clients,
                own_accounts=rules.own_accounts,
            )
        )  # fmt: skip
        return unknown

    def take_down(self) -> None:
        """See `Hand`."""
        network.take_down()

    def look(self) -> Seen:
        """See `Hand`."""
        return network.look()

    def filters(self) -> int:
        """See `Hand`."""
        return network.filters()


class HelpersHand:
    """By the helper behind `path`; each call is one connection."""

    def __init__(self, path: str) -> None:
        self._path = path

    def put_up(self, rules: Rules) -> tuple[str, ...]:
        """See `Hand`."""
        return tuple(str(name) for name in self._ask("put_up", rules=rules.document())["unknown"])

    def take_down(self) -> None:
        """See `Hand`."""
        self._ask("take_down")

    def look(self) -> Seen:
        """See `Hand`."""
        answer = self._ask("look")
        rules = network.rules_of(answer["seen"])
        return Seen(
            everything=rules.everything, seconds=rules.seconds, clients=rules.clients, refused=int(answer["refused"])
        )

    def filters(self) -> int:
        """See `Hand`."""
        return int(self._ask("filters")["filters"])

    def _ask(self, what: str, **arguments: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.settimeout(SECONDS)
                connection.connect(self._path)
                send_frame(connection, {"v": PROTOCOL, "do": what, **arguments})
                answer, _none = receive_frame(connection, limit=LARGEST, seconds=SECONDS)
            except (OSError, BrokenConnectionError) as error:
                raise ClocheError(f"{self._path}: the network helper does not answer: {error}") from error
        if "error" in answer:
            kind = RefusedError if answer.get("exit_code") == ExitCode.REFUSED else ClocheError
            raise kind(str(answer["error"]))
        return answer


def hand_of(home: Home) -> Hand:
    """The hand of this home.

    Raises:
        RefusedError: a service without its helper, in another network than the machine's: it would cut nothing.
    """
    path = home.run / "network.sock"
    if path.is_socket():
        return HelpersHand(str(path))
    if home.is_service and not _in_the_machines_network():
        raise RefusedError(f"{path}: the network helper is missing: run cloche setup again, or start cloche-network")
    return OwnHand()


def _in_the_machines_network() -> bool:
    try:
        return os.stat("/proc/self/ns/net").st_ino == os.stat("/proc/1/ns/net").st_ino
    except OSError:
        return True
