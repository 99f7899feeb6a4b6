"""Serves the page: a small HTTP/1.1 server, one request a connection, bounded in everything.

`http.server` limits a line to 64 KiB and headers to 100; here a connection lasts 15 s at most however slowly it drips,
16 are served at a time, and a body has 16 KiB. TLS handshakes happen in the connection's own thread.
"""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import ssl
import threading
import time
from typing import Any, Final

from agent.link.page import MAX_BODY, Asked, Counter, headers
from config.messaging import PageSettings

LONGEST: Final = 15.0
MOST: Final = 16
FORM: Final = "application/x-www-form-urlencoded"


class PageServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Listens and answers; `start` and `stop` are its life."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, settings: PageSettings, counter: Counter) -> None:
        """Listen.

        Raises:
            OSError: the address is taken or is none of ours, or a file of the certificate cannot be read.
            ssl.SSLError: certificate and key are none, or don't belong together.
        """
        host, _, port = settings.listen.rpartition(":")
        host = host.strip("[]")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.counter = counter
        self._context: ssl.SSLContext | None = None
        if settings.certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._context.load_cert_chain(settings.certificate, settings.private_key or None)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        super().__init__((host, int(port)), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.25}, name="page", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and end what is open."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self._cut(0.0)

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection; TLS begins in its thread."""
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open[connection] = time.monotonic()
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  socketserver's
        """Whether there is room for one more."""
        with self._lock:
            return len(self._open) <= MOST

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection and close it."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut whoever takes too long."""
        self._cut(LONGEST)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A stranger's broken connection is no event."""

    def server_bind(self) -> None:
        """Bind without asking a name server for our name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "cloche", self.server_address[1]

    def _cut(self, longest: float) -> None:
        before = time.monotonic() - longest
        with self._lock:
            late = [connection for connection, began in self._open.items() if began <= before]
        for connection in late:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: PageServer
    timeout = 10.0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Show."""
        self._answer("GET", b"")

    def do_HEAD(self) -> None:
        """Show the headers."""
        self._answer("GET", b"")

    def do_POST(self) -> None:
        """Take a form or a word."""
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.headers.get("Transfer-Encoding") or not length.isascii() or not length.isdecimal() or len(length) > 9:
            self._refuse(411)
        elif int(length) > MAX_BODY:
            self._refuse(413)
        elif kind not in (FORM, ""):
            self._refuse(415)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._answer("POST", body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Our own page in place of the library's, which quotes the request."""
        self.close_connection = True
        self._refuse(code if code in (400, 405, 408, 411, 413, 414, 415, 431) else 405 if code == 501 else 400)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  http.server's
        """Nobody's address is logged."""

    def _answer(self, method: str, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        address = str(self.client_address[0])
        page = self.server.counter.answer(
            Asked(method=method, path=path[:200], query=query[:200], address=address, body=body)
        )
        self._write(page.status, page.body)

    def _refuse(self, status: int) -> None:
        self._write(status, self.server.counter.refuse(status).body)

    def _write(self, status: int, body: bytes) -> None:
        self.close_connection = True
        self.request_version = "HTTP/1.1"
        self.send_response_only(status)
        for name, value in headers().items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
