"""How a letter goes out: mail by the chain's own server, or a group's robot. A failure is a word, never a server's.

`smtplib` with TLS whose certificate is checked; a login is never sent in clear. Robots answer HTTP 200 with an error
code inside: only 0 is success (WeCom, DingTalk `errcode`; Feishu `code`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import time
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from central.api.settings import LOOPBACK, DigestSettings
from central.digest.letters import Letter
from central.hooks.courier import trust_of
from config.errors import ClocheError, UsageError

SECONDS: Final = 20.0
MOST_SAID: Final = 65_536


def post_letter(letter: Letter, settings: DigestSettings) -> str:
    """Send once; '' if it was taken, else why not, in a word."""
    return _robot(letter, settings) if not letter.to else _mail(letter, settings)


def read_secret_lines(file: str) -> list[str]:
    """The first two lines of a file with a secret.

    Raises:
        UsageError: it cannot be read, or others may read it.
    """
    path = Path(file)
    try:
        if path.stat().st_mode & 0o077:
            raise UsageError(f"{file}: others may read it: chmod 600")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read") from error
    return [line.strip() for line in (*lines[:2], "", "")][:2]


def compose(letter: Letter, sender: str) -> EmailMessage:
    """The mail; a second try has the same Message-ID."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = letter.to
    mail["Subject"] = " ".join(letter.digest.subject.split())[:200]
    mail["Date"] = formatdate()
    identifier = hashlib.sha256(letter.subject.encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<digest-{identifier}@{domain if domain.isascii() and domain else 'cloche.invalid'}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834
    mail.set_content(letter.digest.text, cte="base64")
    return mail


def _mail(letter: Letter, settings: DigestSettings) -> str:
    local, at, domain = letter.to.rpartition("@")
    if not (local and at and domain) or any(sign.isspace() or sign in ',;<>"()' for sign in letter.to):
        return "recipient"
    try:
        trust = trust_of(settings.smtp_ca_file)
        password = read_secret_lines(settings.smtp_password_file)[0] if settings.smtp_password_file else ""
        with _connect(settings, trust) as server:
            if settings.smtp_user:
                server.login(settings.smtp_user, password)
            server.send_message(compose(letter, settings.smtp_from), settings.smtp_from, [letter.to])
    except ClocheError:
        return "settings"
    except smtplib.SMTPAuthenticationError:
        return "login"
    except smtplib.SMTPRecipientsRefused:
        return "recipient"
    except smtplib.SMTPNotSupportedError:
        return "tls"
    except smtplib.SMTPResponseException as error:
        return f"smtp {error.smtp_code}"
    except ssl.SSLError:
        return "tls"
    except TimeoutError:
        return "timeout"
    except (smtplib.SMTPException, OSError, UnicodeError, ValueError):
        return "unreachable"
    return ""


def _connect(settings: DigestSettings, trust: ssl.SSLContext) -> smtplib.SMTP:
    host, port = settings.smtp_host, settings.smtp_port
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=trust)
    server = smtplib.SMTP(host, port, timeout=SECONDS)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=trust)
        elif host not in LOOPBACK:
            raise smtplib.SMTPNotSupportedError("clear text leaves this machine")
    except BaseException:
        server.close()
        raise
    return server


def _robot(letter: Letter, settings: DigestSettings) -> str:
    import httpx  # loaded with the first letter of a robot

    try:
        url, secret = read_secret_lines(settings.robot_url_file)
    except ClocheError:
        return "settings"
    words, moment = f"{letter.digest.subject}\n{letter.digest.text}".strip(), int(time.time())
    if settings.robot_kind == "dingtalk" and secret:
        mac = hmac.new(secret.encode(), f"{moment * 1000}\n{secret}".encode(), hashlib.sha256).digest()
        sign = quote(base64.b64encode(mac).decode(), safe="")
        url += f"{'&' if '?' in url else '?'}timestamp={moment * 1000}&sign={sign}"
    body = json.dumps(robot_body(settings.robot_kind, letter, words, secret, moment), ensure_ascii=False).encode()
    try:
        with (
            httpx.Client(timeout=SECONDS, trust_env=False, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers={"Content-Type": "application/json"}) as answer,
        ):
            said = b""
            for piece in answer.iter_bytes():
                said += piece
                if len(said) > MOST_SAID:
                    return "bad_answer"
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return "unreachable"
    if not 200 <= status < 300:
        return f"HTTP {status}"
    return "" if settings.robot_kind == "webhook" else _code(said)


def robot_body(kind: str, letter: Letter, words: str, secret: str, moment: int) -> dict[str, Any]:
    """What a robot is sent; `moment` in seconds since 1970."""
    if kind == "feishu":
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": words}}
        if secret:
            mac = hmac.new(f"{moment}\n{secret}".encode(), b"", hashlib.sha256).digest()
            body |= {"timestamp": str(moment), "sign": base64.b64encode(mac).decode()}
        return body
    if kind == "webhook":
        digest = letter.digest
        return {
            "schema": "cloche.digest/1", "id": letter.subject, "subject": digest.subject,
            "lines": [digest.how, digest.needs],
        }  # fmt: skip
    return {"msgtype": "text", "text": {"content": words}}


def _code(said: bytes) -> str:
    try:
        document = json.loads(said)
        code = document.get("errcode", document.get("code", document.get("StatusCode")))
    except (ValueError, AttributeError, RecursionError):
        return "bad_answer"
    if isinstance(code, bool) or not isinstance(code, int):
        return "bad_answer"
    return "" if code == 0 else f"refused {code}"
