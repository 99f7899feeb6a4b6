"""The certificate of a destruction (销毁证明): what, hashes, when, by whose word, how, and what it does not reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.approvals import standing
from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Table
from agent.documents.stamps import head_of
from agent.documents.write import write_versions
from agent.incident.store import incidents
from agent.incident.wording import Wording
from agent.purge.records import Purge

if TYPE_CHECKING:
    from agent.wiring import Agent

FOLDER: Final = "purge"
"""Of certificates about files that were quarantined by hand, outside of any incident."""


def write_certificate(agent: Agent, purge: Purge) -> list[Path]:
    """Write it in both languages and every format into the documents of the incident.

    Raises:
        ClocheError: it cannot be written.
    """
    known = {incident.id for incident in incidents(agent).all()}
    folder = next((name for name in purge.incidents if name in known), FOLDER)
    stem = f"{agent.text('purge.file_name')}-{purge.id}"
    return write_versions(
        agent,
        agent.home.documents / folder,
        stem,
        lambda wording, _version: _Certificate(agent, purge, wording).build(
            head_of(agent, folder, wording.text) if folder in known else ""
        ),
    )


class _Certificate:
    """Builds it in one language."""

    def __init__(self, agent: Agent, purge: Purge, wording: Wording) -> None:
        self._agent = agent
        self._purge = purge
        self._wording = wording
        self._text = wording.text

    def build(self, head: str) -> Document:
        """The whole document."""
        text, purge, store = self._text, self._purge, self._agent.settings.store
        destroyed = set(purge.outcome["destroyed"])
        size = sum(item.size for item in purge.items if item.id in destroyed)
        return Document(
            language=text.language,
            title=text("purge.title"),
            subtitle=text("purge.subtitle", store=store.name, id=purge.id, time=self._wording.moment(purge.ended_at)),
            lead=text("purge.lead", count=len(destroyed), bytes=f"{size:,}", time=self._wording.moment(purge.ended_at)),
            notices=(text("purge.masked"), text("incident.assists")),
            blocks=(*self._facts(), *self._words(), *self._files(), *self._how(), *self._left(), *self._beyond(),
                    *self._signing()),
            running=f"{store.name} · {purge.id}",
            head=head,
        )  # fmt: skip

    def _facts(self) -> Iterator[Block]:
        text, purge, store, moment = self._text, self._purge, self._agent.settings.store, self._wording.moment
        unknown = text("report.unknown")
        yield Heading(text=text("purge.h_facts"))
        yield Facts(
            rows=(
                (text("purge.f_id"), purge.id),
                (text("purge.f_incidents"), ", ".join(purge.incidents)),
                (text("purge.f_store"), store.name),
                (text("purge.f_entity"), store.legal_entity or unknown),
                (text("purge.f_reason"), purge.reason),
                (text("purge.f_asked"), f"{purge.by}  {moment(purge.asked_at)}"),
                (text("purge.f_approved"), moment(purge.approved_at)),
                (text("purge.f_waited"), text("purge.waited", due=moment(purge.due_at))),
                (text("purge.f_done"), f"{moment(purge.ended_at)}  {self._who(purge.ended_by)}"),
            )
        )

    def _who(self, actor: str) -> str:
        return self._text("purge.by_itself") if actor == "cloche" else actor

    def _words(self) -> Iterator[Block]:
        text, purge = self._text, self._purge
        rows = []
        subjects = [("purge.w_purge", purge.subject)]
        if purge.originals:
            subjects.append(("purge.w_originals", purge.originals_subject))
        for key, subject in subjects:
            found = standing(self._agent, subject, purge.digest)
            for word in found.given if found else ():
                person = self._agent.people.named(word.person)
                roles = self._wording.roles(person.roles) if person else ""
                rows.append((text(key), word.person, roles, self._wording.moment(word.at)))
        yield Heading(text=text("purge.h_words"))
        yield Table(
            header=tuple(text(f"purge.t_{name}") for name in ("word", "person", "roles", "time")),
            rows=tuple(rows), widths=(22, 18, 34, 26),
        )  # fmt: skip
        single = self._agent.settings.respond.single_handed
        if single and len({row[1] for row in rows}) < 2:
            yield Paragraph(text=text("purge.single_handed", reason=self._agent.mask(single)))
        if purge.statement:
            yield Paragraph(text=text("purge.statement", statement=purge.statement))
        yield Paragraph(text=text("purge.digest", digest=purge.digest), small=True)

    def _files(self) -> Iterator[Block]:
        text, purge = self._text, self._purge
        destroyed = set(purge.outcome["destroyed"])
        yield Heading(text=text("purge.h_files"))
        yield Table(
            header=tuple(text(f"purge.t_{name}") for name in ("number", "file", "size", "hash")),
            rows=tuple(
                (str(number), f"{item.name}\n{item.id} · {item.incident}", f"{item.size:,}", item.sealed_sha256)
                for number, item in enumerate((item for item in purge.items if item.id in destroyed), 1)
            ),
            widths=(7, 41, 14, 38),
        )
        yield Paragraph(text=text("purge.hash_note"), small=True)

    def _how(self) -> Iterator[Block]:
        text, keys = self._text, self._purge.outcome["keys"]
        yield Heading(text=text("purge.h_how"))
        steps = [text("purge.how_wraps")]
        if keys:
            steps.append(text("purge.how_key", incidents=", ".join(keys)))
        yield Bullets(items=(*steps, text("purge.how_copies"), text("purge.how_notes")))

    def _left(self) -> Iterator[Block]:
        text, left = self._text, self._purge.outcome["left"]
        if not left:
            return
        names = {item.id: item.name for item in self._purge.items}
        yield Heading(text=text("purge.h_left"))
        yield Table(
            header=(text("purge.t_file"), text("purge.t_why")),
            rows=tuple((f"{names[entry]}\n{entry}", text(f"purge.left_{why}")) for entry, why in left.items()),
            widths=(60, 40),
            marked=frozenset(range(len(left))),
        )

    def _beyond(self) -> Iterator[Block]:
        text, purge = self._text, self._purge
        kept = sorted({item.incident for item in purge.items} - set(purge.outcome["keys"]))
        items = [text("purge.beyond_backups_key" if kept else "purge.beyond_backups")]
        if kept:
            items.append(text("purge.beyond_kept", incidents=", ".join(kept)))
        items += [text("purge.beyond_plain"), text("purge.beyond_elsewhere"), text("purge.beyond_records")]
        yield Heading(text=text("purge.h_beyond"))
        yield Bullets(items=tuple(items))

    def _signing(self) -> Iterator[Block]:
        text = self._text
        yield Heading(text=text("purge.h_signing"))
        yield Facts(
            rows=tuple((text(f"purge.sign_{who}"), text("purge.sign_line")) for who in ("responsible", "witness"))
        )
