"""Many incidents at once, read without their long parts: a page over hundreds of them decodes only what it shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Text, cast, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from central.documents import Clock, Count, Incident, Line, Party, Prose, Timed, When, Word
from central.documents.parts import read_json
from central.models import Store, StoredIncident
from central.moments import now
from central.pages.attention import SILENT_AFTER


class Brief(Timed, frozen=True, kw_only=True):
    """What lists show of an incident (`central.documents.Incident`)."""

    id: Word
    kind: Word
    phase: Word
    summary: Prose = ""
    discovered_at: When
    declared_at: When | None = None
    files: Count = 0
    persons: Count = 0
    sensitive: Count | None = None
    counted_at: When | None = None
    level: Word = ""
    law_grade: Word = ""
    language: Word = "zh-CN"
    case: Word | None = None
    merged_into: Word | None = None
    entity: Line = ""
    entities: Annotated[tuple[Party, ...], Meta(max_length=20)] = ()
    told_clocks: msgspec.Raw = msgspec.field(name="clocks", default=msgspec.Raw(b"[]"))

    @property
    def clocks(self) -> tuple[Clock, ...]:
        """Read when asked for: a case over two thousand stores has eighteen thousand, and shows those of fifty."""
        try:
            return _CLOCKS.decode(self.told_clocks)
        except msgspec.DecodeError:  # as below
            told = read_json(bytes(self.told_clocks))
            return tuple(Clock.model_validate(clock) for clock in told) if isinstance(told, list) else ()


_DECODER: Final = msgspec.json.Decoder(Brief)
_CLOCKS: Final = msgspec.json.Decoder(tuple[Clock, ...])


@dataclass(frozen=True, kw_only=True)
class Told:
    """An incident with its store, as last told."""

    store: Store
    case_id: str | None
    is_open: bool
    incident: Brief

    @property
    def path(self) -> str:
        """Of its page."""
        return f"/incidents/{self.store.id}/{self.incident.id}"

    @property
    def is_silent(self) -> bool:
        """Orders wait until this store is back."""
        return self.store.heard_at is None or self.store.heard_at + SILENT_AFTER < now()


def read_briefs(
    session: Session, *conditions: ColumnElement[bool] | InstrumentedAttribute[bool], most: int | None = None
) -> list[Told]:
    """Incidents that fulfil all conditions (on `Store` and `StoredIncident`), the last discovered first."""
    query = (
        select(Store, StoredIncident.case_id, StoredIncident.is_open, cast(StoredIncident.document, Text))
        .join(Store, Store.id == StoredIncident.store_id)
        .where(*conditions)
        .order_by(StoredIncident.discovered_at.desc(), StoredIncident.incident_id)
    )
    rows: Iterable[Any] = session.execute(query.limit(most) if most else query)
    return [
        Told(store=store, case_id=case_id, is_open=is_open, incident=_brief(document))
        for store, case_id, is_open, document in rows
    ]


def _brief(document: str) -> Brief:
    try:
        return _DECODER.decode(document)
    except msgspec.DecodeError:  # kept by an older head office: through the whole reader
        whole = Incident.model_validate_json(document).model_dump()
        kept = {name: whole[name] for name in Brief.__struct_encode_fields__ if name in whole}
        return _DECODER.decode(msgspec.json.encode(kept))
