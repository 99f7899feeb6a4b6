"""Reading a report: its envelope, then the document that belongs to its kind."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, field
from msgspec.structs import force_setattr

from central.documents.incident import Incident
from central.documents.inventory import Inventory
from central.documents.parts import (
    DocumentError,
    Part,
    Timed,
    When,
    from_untidy,
    plain,
    read_json,
)  # fmt: skip
from central.documents.state import (
    Alert,
    Assessment,
    Audit,
    Drill,
    Events,
    Health,
    OrderState,
    PaperSent,
    Persons,
    Training,
    Vendors,
)  # fmt: skip
from central.wire import MAX_NUMBER, Kind

Number = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
Document = (
    Inventory | Health | Alert | Incident | Audit | OrderState | Events | Assessment | Drill | Training | Vendors
    | PaperSent | Persons
)  # fmt: skip
MODELS: Final[dict[Kind, type[Document]]] = {
    "inventory": Inventory, "health": Health, "alert": Alert, "incident": Incident, "audit": Audit,
    "order": OrderState, "events": Events, "assessment": Assessment, "drill": Drill, "training": Training,
    "vendors": Vendors, "paper": PaperSent, "persons": Persons,
}  # fmt: skip


class Previous(Part, frozen=True, kw_only=True):
    """The last kept report before this one."""

    number: Number
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Envelope(Timed, frozen=True, kw_only=True):
    """What is around every document; `document` is its JSON until that is read."""

    schema_: Literal["cloche.report/1"] = field(name="schema")
    kind: Kind
    number: Number
    previous: Previous | None = None
    written_at: When
    document: Raw


_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_DOCUMENTS: Final[dict[Kind, msgspec.json.Decoder[Any]]] = {
    kind: msgspec.json.Decoder(model) for kind, model in MODELS.items()
}
_ENCODER: Final = msgspec.json.Encoder()
_READ: Final = Raw()


def read_report(body: bytes) -> tuple[Envelope, Document]:
    """Envelope and document of a report's raw bytes; the envelope's own `document` is empty then, and nothing of the
    body is held any more.

    Raises:
        DocumentError: naming the field that does not fit.
    """
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_untidy(body)
    document = _read_document(envelope.kind, envelope.document, body)
    force_setattr(envelope, "document", _READ)
    return envelope, document


def _read_document(kind: Kind, raw: Raw, body: bytes) -> Document:
    try:
        document: Document = _DOCUMENTS[kind].decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return from_untidy(read_json(bytes(raw)), MODELS[kind])
    if is_harmless(body) or is_harmless(encode_document(document)):
        return document
    return from_untidy(read_json(bytes(raw)), MODELS[kind])


def encode_document(document: object) -> bytes:
    """A part's JSON."""
    return _ENCODER.encode(document)


_LEADS: Final = tuple(bytes([lead]) for lead in b"\x7f\xc2\xd8\xdb\xdc\xe0\xe1\xe2\xef\xf0\xf3")
"""How every control and format character (Cc, Cf) of Unicode 15 begins in UTF-8; a decoder refuses the ones below
U+0020 in a text, and surrogates."""


def is_harmless(encoded: bytes) -> bool:
    """Whether no text in this JSON, which a decoder took, holds a control or format character.

    Seen without looking at each text: a tenth of the time. Other characters begin like those; then all are looked at.
    """
    if b"\\" in encoded:
        encoded = encoded.replace(b"\\\\", b"").replace(b'\\"', b"")
        if b"\\" in encoded:
            return False
    return not any(lead in encoded for lead in _LEADS) or plain(encoded.decode(), "\r\n\t") == encoded.decode()


def _read_untidy(body: bytes) -> tuple[Envelope, Document]:
    """Of JSON that msgspec does not take as it is: lone surrogates, dates without a time."""
    whole = read_json(body)
    if not isinstance(whole, dict):
        raise DocumentError("body")
    if not isinstance(whole.get("document"), dict):
        raise DocumentError("document")
    envelope = from_untidy({**whole, "document": {}}, _Cover)
    document = from_untidy(whole["document"], MODELS[envelope.kind])
    return Envelope(
        schema_=envelope.schema_, kind=envelope.kind, number=envelope.number, previous=envelope.previous,
        written_at=envelope.written_at, document=_READ,
    ), document  # fmt: skip


class _Cover(Timed, frozen=True, kw_only=True):
    """An envelope whose document was taken out."""

    schema_: Literal["cloche.report/1"] = field(name="schema")
    kind: Kind
    number: Number
    previous: Previous | None = None
    written_at: When
