"""Mail: one message (RFC 5322), or a mailbox of them (RFC 4155). Attachments are members.

Headers and bodies are in the character set they name, or what they look like: Chinese mailers write raw GBK into
headers. A mailbox is cut at `From ` lines, which a body may hold too if its writer did not quote them.
"""

from __future__ import annotations

import email.message
import email.parser
import email.policy
import io
import re
from collections.abc import Iterator
from email.header import decode_header
from typing import Final

from config.schema import ItemKind
from scanners.extract.api import Member, Notes, Piece, Refused, Source
from scanners.extract.charset import detect
from scanners.extract.markup import text_of_html
from scanners.extract.text import chunks

_MESSAGE: Final = 64 << 20
_HEADERS: Final = ("From", "To", "Cc", "Bcc", "Reply-To", "Sender", "Subject", "Delivered-To")
_START: Final = re.compile(rb"\A(?:[A-Za-z][\w-]*:[ \t][^\n]*\r?\n(?:[ \t]+[^\n]*\r?\n)*){3,}", re.MULTILINE)
_KNOWN: Final = re.compile(
    rb"^(?:from|received|return-path|message-id|mime-version|delivered-to|x-mailer):", re.IGNORECASE | re.MULTILINE
)
_MAILBOX: Final = re.compile(rb"\AFrom \S+ .*\d\d:\d\d.*\n")


class MailExtractor:
    """See the module."""

    kind: ItemKind = "mail"

    def matches(self, source: Source) -> bool:
        """Header lines that mail has, or the name with any header."""
        head = source.head[:8192]
        if _MAILBOX.match(head) or source.suffix in ("eml", "mbox", "mht", "mhtml"):
            return b"\0" not in head and b":" in head
        start = _START.match(head)
        return start is not None and len(set(map(bytes.lower, _KNOWN.findall(start.group())))) >= 2

    def extract(self, source: Source, notes: Notes) -> Iterator[Piece]:
        """Headers and texts of each message, attachments as members."""
        for number, raw in enumerate(_messages(source), start=1):
            message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw)
            yield from _message(message, source, notes, f"{number}/" if number > 1 else "")


def _messages(source: Source) -> Iterator[bytes]:
    stream = source.stream()
    if not _MAILBOX.match(source.head):
        data = stream.read(_MESSAGE + 1)
        if len(data) > _MESSAGE:
            raise Refused("too_large")
        yield data
        return
    lines: list[bytes] = []
    size = 0
    blank = True
    while line := stream.readline(1 << 20):
        if line.startswith(b"From ") and blank and lines:
            yield b"".join(lines)
            lines, size = [], 0
        else:
            lines.append(line)
            size += len(line)
            if size > _MESSAGE:
                raise Refused("too_large")
        blank = line in (b"\n", b"\r\n")
    if lines:
        yield b"".join(lines)


def _message(message: email.message.Message, source: Source, notes: Notes, prefix: str) -> Iterator[Piece]:
    headers = [f"{name}: {_header(value)}" for name in _HEADERS for value in message.get_all(name, [])]
    if headers:
        yield from chunks(["\n".join(headers) + "\n"])
    for index, part in enumerate(message.walk()):
        if part.is_multipart():
            continue
        name = part.get_filename()
        kind = part.get_content_maintype()
        data = part.get_payload(decode=True)
        if not isinstance(data, bytes):
            continue
        if kind == "text" and not name:
            text = _body(data, part, notes)
            yield from chunks([text_of_html(text) if part.get_content_subtype() == "html" else text])
            continue
        shown = prefix + (_header(name) if name else f"part{index}")
        source.budget.spend(len(data))
        member = Source(
            name=shown.rpartition("/")[2],
            stream=io.BytesIO(data),
            size=len(data),
            seekable=True,
            budget=source.budget,
        )
        yield Member(name=shown, source=member, size=len(data))


def _body(data: bytes, part: email.message.Message, notes: Notes) -> str:
    looks = detect(data)
    declared = part.get_content_charset() or looks or "utf-8"
    notes.encoding = notes.encoding or looks
    for name in (declared, looks):
        if name is None:
            continue
        try:
            return data.decode("gb18030" if name.lower() in ("gb2312", "gbk") else name)
        except (LookupError, UnicodeDecodeError):
            continue
    notes.partly("undecodable")
    return data.decode("utf-8", "replace")


def _header(value: object) -> str:
    """A header's words decoded."""
    words = []
    try:
        parts = decode_header(str(value).encode("ascii", "surrogateescape").decode("ascii", "surrogateescape"))
    except (ValueError, UnicodeError):
        parts = [(str(value), None)]
    for word, charset in parts:
        raw = word if isinstance(word, bytes) else word.encode("utf-8", "surrogateescape")
        name = charset if charset and charset.lower() != "unknown-8bit" else detect(raw) or "utf-8"
        try:
            words.append(raw.decode("gb18030" if name.lower() in ("gb2312", "gbk") else name, "replace"))
        except LookupError:
            words.append(raw.decode("utf-8", "replace"))
    return " ".join(words)
