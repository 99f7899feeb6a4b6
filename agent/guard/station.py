"""The guard's end of the line to the daemon: one root peer, a bounded queue of events, nothing that blocks.

While no daemon is there events wait, up to `LIMIT`; what is lost beyond is counted and told as a gap.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from typing import Final

from agent.guard.protocol import PACKET, Message, ProtocolError, batches, decode, encode, peer

LIMIT: Final = 20_000
_EVENTS_A_PACKET: Final = 40
_PAUSE_NS: Final = 20_000_000


class Station:
    """Accepts the daemon, queues what it is to hear, reads what it asks."""

    def __init__(self, listener: socket.socket) -> None:
        """Listen on a socket that the watcher made."""
        listener.setblocking(False)
        self.listener = listener
        self.connection: socket.socket | None = None
        self.peer_pid = 0
        self._queue: deque[Message] = deque()
        self._replies: deque[bytes] = deque()
        self._lost = 0
        self._urgent = False
        self._sent_at = 0

    def accept(self) -> bool:
        """Take a waiting peer if it is root and the one before it is gone; others are hung up on."""
        try:
            connection, _ = self.listener.accept()
        except BlockingIOError:
            return False
        pid, uid = peer(connection)
        if uid != 0 or self.connection is not None:
            connection.close()
            return False
        connection.setblocking(False)
        self.connection, self.peer_pid = connection, pid
        return True

    def hang_up(self) -> None:
        """End the connection; unsent replies are void, events wait for the next daemon."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        self._replies.clear()

    def receive(self) -> Message | None:
        """One request, or None when there is none now.

        Raises:
            ProtocolError: the peer is gone or speaks something else.
        """
        if self.connection is None:
            return None
        try:
            data = self.connection.recv(PACKET)
        except BlockingIOError:
            return None
        except OSError as error:
            raise ProtocolError("connection lost") from error
        if not data:
            raise ProtocolError("hung up")
        return decode(data)

    def tell(self, event: Message, *, urgent: bool = False) -> None:
        """Queue an event; over the limit it is counted as lost, or for an urgent one the oldest of all."""
        if len(self._queue) >= LIMIT:
            self._lost += 1
            if not urgent:
                return
            self._queue.popleft()
        self._queue.append(event)
        self._urgent = self._urgent or urgent

    def reply(self, message: Message) -> None:
        """Queue the answer to a request."""
        self._replies.append(encode(message))

    @property
    def waiting(self) -> int:
        """Events not yet sent."""
        return len(self._queue)

    @property
    def has_replies(self) -> bool:
        """Answers not yet sent."""
        return bool(self._replies)

    @property
    def lost(self) -> int:
        """Events dropped and not yet told."""
        return self._lost

    def flush(self, now: int) -> bool:
        """Send what is due; True if the socket is full and must be polled for room."""
        if self.connection is None:
            return False
        try:
            while self._replies:
                self.connection.send(self._replies[0])
                self._replies.popleft()
            due = self._urgent or len(self._queue) >= _EVENTS_A_PACKET or now - self._sent_at > _PAUSE_NS
            if (self._queue or self._lost) and due:
                self._send_events()
                self._sent_at = now
        except BlockingIOError:
            return True
        except OSError:
            self.hang_up()
        return False

    def _send_events(self) -> None:
        connection = self.connection
        if connection is None:
            return
        if not self._queue:  # the gap comes after the events that were kept
            gap = {"event": "gap", "at": time.time(), "cause": "guard_queue", "lost": self._lost}
            connection.send(encode({"type": "events", "events": [gap]}))
            self._lost = 0
            return
        head = [self._queue[index] for index in range(min(_EVENTS_A_PACKET, len(self._queue)))]
        for batch in batches(head):
            connection.send(encode({"type": "events", "events": batch}))
            for _ in batch:
                self._queue.popleft()
        self._urgent = self._urgent and bool(self._queue)


def listener_from(descriptor: int) -> socket.socket:
    """The listening socket that the watcher handed over, close-on-exec again."""
    os.set_inheritable(descriptor, False)
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=descriptor)
