"""What passes between the scan and its workers: frames of checked JSON, never pickle.

A worker opens hostile files and may be taken over by one: whatever comes from it is data of bounded size, checked
field by field. What it can do by lying is conceded: wrong findings for the files it was given, nothing else.
Frame: two big-endian u32 (length of the JSON, length of the person keys), the JSON, the keys of 8 bytes each.
"""

from __future__ import annotations

import json
import struct
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from config.schema import DetectSettings, ItemKind, ScanSettings
from scanners.records import Finding, Nature, Place, Reason, Subject

HEADER: Final = struct.Struct(">II")
MAX_JSON: Final = 4 << 20
MAX_KEYS: Final = 1 << 20  # persons told apart in one item; `persons` goes on counting
MAX_ITEMS: Final = 100_000  # members and tables of one file

MAX_RECORDS: Final = 4096  # persons in one frame
RECORD_BYTES: Final = 64  # of `scanners.person_records.RECORD`, which needs numpy: no scan's parent loads that

_Name = Annotated[str, Field(max_length=512)]
_Value = Annotated[str, Field(max_length=128)]
_Count = Annotated[int, Field(ge=0, le=1 << 48)]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ProtocolError(Exception):
    """A worker sent something that no worker of ours sends."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Hello(_Message):
    """First frame to a worker."""

    scan: ScanSettings
    detect: DetectSettings
    names: bool
    run_key: str = Field(repr=False)
    persons: bool = False

    model_config = ConfigDict(strict=False)


class Job(_Message):
    """One file, with its descriptor (and its write-ahead log's) as ancillary data. `name` has no folder in it."""

    name: str
    size: int
    seconds: float
    database: bool = False
    values: bool = False  # persons with their contacts, where persons are gathered at all
    path: str = ""  # a snapshot too large for memory, for as long as it takes to open it


class PlaceMessage(_Message):
    """`Place`."""

    table: _Name | None = None
    column: _Name | None = None
    member: _Name | None = None
    page: _Count | None = None
    line: _Count | None = None


class FindingMessage(_Message):
    """`Finding`."""

    entity: str = Field(pattern=r"\A[A-Z][A-Z0-9_]{0,63}\z")
    count: _Count
    distinct: _Count
    confidence: _Share
    place: PlaceMessage
    samples: tuple[_Name, ...] = Field(max_length=16)
    nature: Nature
    subject: Subject

    def record(self) -> Finding:
        """As the rest of Cloche knows it; unprintable characters are gone, they could steer a terminal."""
        return Finding(
            entity=self.entity,
            count=self.count,
            distinct=self.distinct,
            confidence=self.confidence,
            place=Place(
                table=_printable(self.place.table),
                column=_printable(self.place.column),
                member=_printable(self.place.member),
                page=self.place.page,
                line=self.place.line,
            ),
            samples=tuple(_printable(sample) or "" for sample in self.samples),
            nature=self.nature,
            subject=self.subject,
        )


class ItemMessage(_Message):
    """One item: the file itself (`suffix` empty), a member (`!…`) or a table (`#…`). `order` is that of listing."""

    type: Literal["item"] = "item"
    order: Annotated[int, Field(ge=0, lt=MAX_ITEMS)]
    suffix: str = Field(max_length=8192)  # bytes as ISO 8859-1
    kind: ItemKind
    status: Literal["read", "partial", "unread", "skipped"]
    reason: Reason
    encoding: Annotated[str, Field(max_length=64, pattern=r"\A[A-Za-z0-9_.:-]*\z")] | None
    size: _Count
    level: Annotated[int, Field(ge=1, le=4)]
    score: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
    about: Annotated[str, Field(pattern=r"\A[a-z_]{0,32}\z")] = ""
    records: _Count = 0
    persons: _Count
    findings: tuple[FindingMessage, ...] = Field(max_length=10_000)


class PersonsMessage(_Message):
    """Records of persons in the file under way: `scanners.person_records.RECORD`, base64, and their values."""

    type: Literal["persons"] = "persons"
    entities: tuple[Annotated[str, Field(pattern=r"\A[A-Z][A-Z0-9_]{0,63}\z")], ...] = Field(max_length=256)
    records: str = Field(max_length=MAX_RECORDS * RECORD_BYTES * 4 // 3 + 4, repr=False)
    values: tuple[tuple[_Value, _Value, _Value, _Value], ...] = Field(max_length=MAX_RECORDS, repr=False)


class SignMessage(_Message):
    """`ready` after start, `opened` when a named snapshot may go, `done` after the last item of a file."""

    type: Literal["ready", "opened", "done"]


Message = ItemMessage | PersonsMessage | SignMessage
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def _printable(text: str | None) -> str | None:
    return None if text is None else "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def clean(text: str) -> str:
    """Without lone surrogates, which no JSON reader takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def pack(message: BaseModel, keys: bytes = b"") -> bytes:
    """One frame."""
    body = json.dumps(message.model_dump(), ensure_ascii=True).encode("ascii")
    return HEADER.pack(len(body), len(keys)) + body + keys


class Frames:
    """Cuts a worker's stream into messages; holds one frame at most."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[Message, frozenset[int]]]:
        """Take what came and return the messages that are complete now, with their person keys.

        Raises:
            ProtocolError: the stream is none of a worker of ours. The message says nothing of what it held.
        """
        self._buffer += data
        messages = []
        while len(self._buffer) >= HEADER.size:
            length, key_length = HEADER.unpack_from(self._buffer)
            if length > MAX_JSON or key_length > MAX_KEYS * 8 or key_length % 8:
                raise ProtocolError("frame too long")
            end = HEADER.size + length + key_length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[HEADER.size : HEADER.size + length])
            keys = struct.unpack(f">{key_length // 8}Q", self._buffer[HEADER.size + length : end])
            del self._buffer[:end]
            try:
                message = _MESSAGES.validate_json(body, strict=True)
                if isinstance(message, ItemMessage):
                    message.suffix.encode("iso-8859-1")
            except (ValidationError, UnicodeEncodeError):
                raise ProtocolError("message of another shape") from None  # its text quotes the content
            messages.append((message, frozenset(keys)))
        return messages
