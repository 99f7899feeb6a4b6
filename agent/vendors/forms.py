"""Documents of a package, in both languages: the record of processing by a vendor (委托处理记录), the vendor's
acknowledgement, and the form on which it certifies that everything was destroyed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Table
from agent.documents.write import write_versions
from agent.incident.moments import zone_of
from agent.incident.wording import Wording
from agent.vendors.records import Contract, Share, Vendor
from config.identity import key_id

if TYPE_CHECKING:
    from agent.wiring import Agent

LISTED: Final = 50


def day(agent: Agent, moment: datetime) -> str:
    """The day by the store's calendar, ISO."""
    return moment.astimezone(zone_of(agent.settings.store.timezone)).date().isoformat()


def write_forms(agent: Agent, vendor: Vendor, share: Share) -> list[Path]:
    """Write all three; the paths.

    Raises:
        ClocheError: one cannot be written.
    """
    folder = agent.home.documents / "vendors" / share.id
    forms = _Forms(agent, vendor, share)
    parts: tuple[tuple[str, Callable[[Wording, int], Document]], ...] = (
        ("vendor.record_file", forms.record),
        ("vendor.acknowledgement_file", forms.acknowledgement),
        ("vendor.destruction_file", forms.destruction),
    )
    written: list[Path] = []
    for key, build in parts:
        written += write_versions(agent, folder, f"{agent.text(key)}-{share.id}", build)
    return written


class _Forms:
    """Builds the documents of one package."""

    def __init__(self, agent: Agent, vendor: Vendor, share: Share) -> None:
        self._agent = agent
        self._vendor = vendor
        self._share = share
        self._contract = next((c for c in vendor.contracts if c.number == share.contract), None)

    def record(self, wording: Wording, version: int) -> Document:
        """What was shared, why, on what terms, and who approved."""
        text, share = wording.text, self._share
        blocks: list[Block] = [Heading(text=text("vendor.h_parties")), Facts(rows=tuple(self._parties(wording)))]
        blocks += [Heading(text=text("vendor.h_shared")), Facts(rows=tuple(self._facts(wording))), self._files(wording)]
        blocks += [Heading(text=text("vendor.h_terms")), *self._terms(wording)]
        blocks += [
            Heading(text=text("vendor.h_duties")),
            Bullets(items=tuple(text(f"vendor.duty_{name}") for name in ("purpose", "safety", "report", "sub", "end"))),
            Paragraph(
                text=text("vendor.record_without", why=share.without_canaries)
                if share.without_canaries
                else text("vendor.record_note"),
                small=True,
            ),
        ]
        return self._document(wording, ("vendor.record_title", version), text(
            "vendor.record_lead", vendor=self._vendor.name, count=len(share.files), persons=f"{share.persons:,}",
        ), blocks)  # fmt: skip

    def acknowledgement(self, wording: Wording, version: int) -> Document:
        """What the vendor signs: received, from whom, how to open it, what it may do."""
        text = wording.text
        blocks: list[Block] = [
            Facts(rows=tuple(self._facts(wording))), self._files(wording),
            Heading(text=text("vendor.h_open")),
            Bullets(
                items=(
                    text("vendor.open_command", package=self._share.id),
                    text("vendor.open_signer", key=key_id(self._agent.keyring.public_key)),
                    text("vendor.open_receipt"),
                    text("vendor.open_expiry", time=wording.moment(self._share.expires_at)),
                )
            ),
            Heading(text=text("vendor.h_acknowledged")),
            Bullets(items=tuple(text(f"vendor.duty_{name}") for name in ("purpose", "safety", "report", "sub", "end"))),
            *self._signatures(wording, ("received_by", "receipt_code", "received_on", "stamp")),
        ]  # fmt: skip
        lead = text("vendor.acknowledgement_lead", vendor=self._vendor.name, package=self._share.id)
        return self._document(wording, ("vendor.acknowledgement_title", version), lead, blocks)

    def destruction(self, wording: Wording, version: int) -> Document:
        """What the vendor signs when it is over."""
        text = wording.text
        places = ("work", "mail", "backup", "sub", "paper")
        blocks: list[Block] = [
            Facts(rows=tuple(self._facts(wording))), self._files(wording),
            Heading(text=text("vendor.h_destroyed")),
            Table(
                header=tuple(text(f"vendor.t_{name}") for name in ("where", "how", "when", "who")),
                rows=tuple((text(f"vendor.place_{place}"), "", "", "") for place in places),
                widths=(37, 27, 18, 18),
            ),
            Paragraph(text=text("vendor.destruction_statement")),
            *self._signatures(wording, ("destroyed_by", "witness", "destroyed_on", "stamp")),
            Paragraph(text=text("vendor.destruction_note", package=self._share.id), small=True),
        ]  # fmt: skip
        lead = text("vendor.destruction_lead", vendor=self._vendor.name, package=self._share.id)
        return self._document(wording, ("vendor.destruction_title", version), lead, blocks)

    def _document(self, wording: Wording, named: tuple[str, int], lead: str, blocks: list[Block]) -> Document:
        text = wording.text
        title, version = named
        return Document(
            language=text.language,
            title=text(title),
            subtitle=text(
                "vendor.subtitle", package=self._share.id, version=version, time=wording.moment(self._agent.now())
            ),
            lead=lead,
            notices=(text("incident.assists"),),
            blocks=tuple(blocks),
        )

    def _parties(self, wording: Wording) -> Iterator[tuple[str, str]]:
        text, store = wording.text, self._agent.settings.store
        yield text("vendor.f_store"), store.name
        yield text("vendor.f_vendor"), f"{self._vendor.name}（{self._vendor.id}）"
        yield text("vendor.f_service"), self._vendor.service or text("vendor.not_said")
        people = "；".join(" ".join(filter(None, (c.name, c.phone, c.email))) for c in self._vendor.contacts)
        yield text("vendor.f_contacts"), people or text("vendor.not_said")
        yield text("vendor.f_key"), self._share.key_id

    def _facts(self, wording: Wording) -> Iterator[tuple[str, str]]:
        text, share = wording.text, self._share
        yield text("vendor.f_package"), share.id
        yield text("vendor.f_purpose"), share.purpose
        yield text("vendor.f_types"), wording.types(share.types) or text("vendor.not_said")
        yield text("vendor.f_persons"), f"{share.persons:,}"
        yield text("vendor.f_shared_at"), wording.moment(share.shared_at)
        yield text("vendor.f_expires_at"), wording.moment(share.expires_at)
        yield (
            text("vendor.f_by"),
            text("vendor.by_value", by=share.shared_by, approved=share.approved_by or text("vendor.nobody_to_approve")),
        )
        yield text("vendor.f_sha256"), share.package_sha256

    def _files(self, wording: Wording) -> Block:
        text = wording.text
        rows = [
            (file.name, file.encoding or "–", f"{file.size:,}", f"{file.persons:,}", file.sha256[:16])
            for file in self._share.files[:LISTED]
        ]
        return Table(
            header=tuple(text(f"vendor.t_{name}") for name in ("file", "encoding", "bytes", "persons", "sha256")),
            rows=tuple(rows), widths=(36, 14, 14, 14, 22),
        )  # fmt: skip

    def _terms(self, wording: Wording) -> Iterator[Block]:
        text, contract = wording.text, self._contract
        if contract is None:
            yield Paragraph(text=text("vendor.no_terms"))
            return
        yield Facts(rows=tuple(terms_of(wording, contract)))

    @staticmethod
    def _signatures(wording: Wording, names: tuple[str, ...]) -> Iterator[Block]:
        yield Heading(text=wording.text("vendor.h_signatures"))
        room = {"stamp": "　\n　\n　\n　"}
        yield Facts(rows=tuple((wording.text(f"vendor.s_{name}"), room.get(name, "　\n　")) for name in names))


def terms_of(wording: Wording, contract: Contract) -> Iterator[tuple[str, str]]:
    """A contract as facts."""
    text = wording.text
    yield (
        text("vendor.f_contract"),
        text("vendor.contract_value", number=contract.number, begins=contract.begins, ends=contract.ends),
    )
    hours = contract.report_hours
    yield (
        text("vendor.f_report_hours"),
        (text("vendor.hours_value", hours=hours) if hours else text("vendor.hours_missing")),
    )
    yield text("vendor.f_audit_right"), text("vendor.yes" if contract.audit_right else "vendor.no")
    subs = ("、" if text.language == "zh-CN" else ", ").join(contract.sub_processors)
    yield text("vendor.f_sub_processors"), subs or text("vendor.no_subs")
    yield text("vendor.f_contract_purpose"), contract.purpose or text("vendor.not_said")
