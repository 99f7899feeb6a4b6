"""Servers that behave as told, for tests of the ways out: real sockets on this machine, and a desk to open letters."""

from __future__ import annotations

import http.server
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.link.desk import Desk
from agent.link.postman import Postman


@dataclass(kw_only=True)
class Heard:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class WebServer:
    """A web server: `answers` are given in order, the last one again and again.

    An answer is (status, headers, body), a number of seconds to wait before hanging up, or a function of the request.
    """

    answers: list[Any] = field(default_factory=lambda: [(200, {}, b"{}")])
    heard: list[Heard] = field(default_factory=list)
    url: str = ""


@contextmanager
def web_server(*answers: Any, port: int = 0) -> Iterator[WebServer]:
    """A running web server."""
    told = WebServer()
    if answers:
        told.answers = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            heard = Heard(method=self.command, path=self.path, headers=dict(self.headers.items()), body=body)
            told.heard.append(heard)
            answer = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            if callable(answer):
                answer = answer(heard)
            if isinstance(answer, (int, float)):
                time.sleep(answer)
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _take  # noqa: N815  http.server's names

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            """A client that hangs up is what is tested."""

    server = Server(("127.0.0.1", port), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    with _served(server):
        yield told


@contextmanager
def raw_server(talk: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """A server that says to each connection whatever `talk` does; its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                talk(self.request)
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", port), Handler)
    with _served(server):
        yield int(server.server_address[1])


@contextmanager
def desk_at(outbox: Path) -> Iterator[Desk]:
    """The link's desk with its key shown, as a running link has it."""
    desk = Desk(outbox)
    try:
        desk.publish()
        yield desk
    finally:
        desk.close()


def one_round(desk: Desk, *, seconds: float = 10.0) -> None:
    """What the running link does twice a second."""
    Postman(desk, seconds=seconds).round(threading.Event())


@contextmanager
def _served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
