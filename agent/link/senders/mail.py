"""Mail by the chain's own server (RFC 5321, RFC 8314; STARTTLS or TLS with its certificate checked).

`smtplib` reads a reply of any number of lines: here a server may say 64 KiB in all. Between the server's 250 and our
reading of it a connection can break; the mail may then come twice, under one Message-ID.
"""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from typing import Any, Final

from agent.link.senders.outcome import Outcome, failed
from agent.link.senders.web import trust
from config.messaging import LOOPBACK, SendersSettings

SECONDS: Final = 20.0
MOST_SAID: Final = 65_536


class Bounded(io.BufferedIOBase):
    """What a server says, to a bound."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._left = MOST_SAID

    def readline(self, size: int | None = -1) -> bytes:
        """A line.

        Raises:
            smtplib.SMTPServerDisconnected: the server said too much.
        """
        line: bytes = self._inner.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise smtplib.SMTPServerDisconnected("said too much")
        return line

    def close(self) -> None:
        """Close the inner one too."""
        self._inner.close()
        super().close()


class _Saying:
    """Bounds the replies of either class of `smtplib`."""

    file: Any
    sock: socket.socket | None

    def getreply(self) -> tuple[int, bytes]:
        """A reply, read through `Bounded`."""
        if self.file is None and self.sock is not None:
            self.file = Bounded(self.sock.makefile("rb"))
        return super().getreply()  # type: ignore[misc,no-any-return]


class _Plain(_Saying, smtplib.SMTP):
    """Begins in clear."""


class _Tls(_Saying, smtplib.SMTP_SSL):
    """TLS from the first byte."""


class Mail:
    """See the module. Never logs in, and never sends, over a connection that is not encrypted, this machine apart."""

    def __init__(self, settings: SendersSettings) -> None:
        self._settings = settings
        self._context = trust()

    def send(self, letter: dict[str, Any]) -> Outcome:
        """One mail to one mailbox."""
        settings = self._settings
        if not settings.mails:
            return failed("not_configured")
        to = str(letter["to"])
        if not is_mailbox(to):
            return failed("recipient")
        try:
            with self._connect() as server:
                if settings.smtp_user:
                    server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
                server.send_message(compose(letter, settings.smtp_from, to), settings.smtp_from, [to])
        except smtplib.SMTPAuthenticationError as error:
            return failed("login", str(error.smtp_code))
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _words in error.recipients.values()]
            return failed("recipient" if codes and codes[0] >= 500 else "busy", str(codes[0] if codes else ""))
        except smtplib.SMTPResponseException as error:
            return failed(_reason(error.smtp_code), str(error.smtp_code))
        except ssl.SSLError as error:
            return failed("tls", error.reason or "")
        except TimeoutError:
            return failed("timeout")
        except smtplib.SMTPNotSupportedError:
            return failed("tls" if settings.smtp_security == "starttls" else "bad_answer")
        except smtplib.SMTPException as error:
            return failed("timeout" if isinstance(error.__context__, TimeoutError) else "bad_answer")
        except (OSError, UnicodeError, ValueError) as error:
            return failed("unreachable", type(error).__name__)
        return Outcome(ending="accepted", receipt=message_id(letter, settings.smtp_from))

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        host, port = settings.smtp_host, settings.smtp_port
        if settings.smtp_security == "tls":
            return _Tls(host, port, timeout=SECONDS, context=self._context)
        server = _Plain(host, port, timeout=SECONDS)
        try:
            if settings.smtp_security == "starttls":
                server.starttls(context=self._context)
            elif host not in LOOPBACK:
                raise smtplib.SMTPNotSupportedError("clear text leaves this machine")
        except BaseException:
            server.close()
            raise
        return server


def compose(letter: dict[str, Any], sender: str, to: str) -> EmailMessage:
    """The mail. Line breaks in a subject are no headers: they become blanks."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = " ".join(str(letter["subject"]).split())[:200]
    mail["Date"] = formatdate()
    mail["Message-ID"] = message_id(letter, sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer by a machine
    mail.set_content(str(letter["text"]), cte="base64")
    return mail


def message_id(letter: dict[str, Any], sender: str) -> str:
    """The same for every try, so that a mail that came twice is seen to be one."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return f"<{letter['id']}@{domain if domain.isascii() and domain else 'cloche.invalid'}>"


def is_mailbox(address: str) -> bool:
    """One plain mailbox, without a second one or a header behind it."""
    local, at, domain = address.rpartition("@")
    return bool(at and local and "." in domain) and not any(
        letter.isspace() or letter in ',;<>"()' or ord(letter) < 0x21 for letter in address
    )


def _reason(code: int) -> str:
    if code in (552, 523):
        return "too_large"
    if code in (550, 551, 553):
        return "recipient"
    return "busy" if 400 <= code < 500 else "refused" if code >= 500 else "bad_answer"
