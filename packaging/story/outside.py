"""The world outside the store: a mail server and an SMS gateway on loopback that keep what reaches them."""

from __future__ import annotations

import email
import email.policy
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from aiosmtpd.controller import Controller
from processes import free_port

CODE = re.compile(r"\b(\d{4} \d{4})\b")


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as it arrived."""

    to: str
    subject: str
    text: str

    @property
    def code(self) -> str:
        """The one-time code in it, '' if there is none."""
        found = CODE.search(self.text)
        return found[1] if found else ""


@dataclass
class Outside:
    """Both servers, with everything they got."""

    mails: list[Mail] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        keep = self.mails

        class Box:
            async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's
                mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
                body = mail.get_body(("plain",))
                for to in envelope.rcpt_tos:
                    keep.append(Mail(to=to, subject=str(mail["Subject"]), text=body.get_content() if body else ""))
                return "250 OK"

        self._mail = Controller(Box(), hostname="127.0.0.1", port=free_port())
        self._mail.start()
        taken = self.messages

        class Gateway(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                taken.append(json.loads(body))
                answer = json.dumps({"code": "OK", "receipt": f"R{len(taken):06d}"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._gateway = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
        self._thread = threading.Thread(target=self._gateway.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gateway.shutdown()
        self._gateway.server_close()
        self._thread.join()
        self._mail.stop()

    @property
    def mail_port(self) -> int:
        """Where mails go."""
        return int(self._mail.port)

    @property
    def gateway(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self._gateway.server_address[1]}/send"

    def to(self, address: str, *words: str) -> Mail | None:
        """The newest mail to somebody that holds all these words, if one came."""
        return next(
            (mail for mail in reversed(self.mails)
             if mail.to == address and all(word in mail.subject + mail.text for word in words)),
            None,
        )  # fmt: skip
