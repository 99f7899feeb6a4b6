"""报案材料: facts, evidence with hashes and custody, the timeline and a verifier, in one zip for the police.

Everything in it is masked; original data stays in the vault until the investigating authority asks for it. Whoever
holds the zip can verify it without Cloche. Limit: the signatures are by this store's key, which root of this store
holds; that nobody made it all up afterwards shows against the heads that head office anchors.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from agent.audit.bundle import as_pem
from agent.audit.standalone import canonical
from agent.documents.model import Bullets, Document, Facts, Heading, Paragraph, Table
from agent.documents.write import write_versions
from agent.incident.course import Course
from agent.incident.moments import zone_of
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.view import bundles, wording_of
from agent.incident.wording import Wording
from agent.logistics.records import Chain
from agent.logistics.state import logistics_of
from agent.reports.dossier import Dossier, gather, with_head
from agent.reports.draft import head_line
from agent.reports.fields import Fields
from config.errors import ClocheError
from config.forms import FieldName
from config.text import LANGUAGES, Text

if TYPE_CHECKING:
    from agent.wiring import Agent

FACTS: Final[tuple[FieldName, ...]] = (
    "organisation", "contact", "occurred", "found", "place", "kind", "summary", "course", "types", "counts",
    "tracing", "cause", "loss", "scene",
)  # fmt: skip
README: Final = {"zh-CN": "README.zh-CN.md", "en": "README.md"}
FOLDER: Final = "police"
SHOWN_EVIDENCE: Final = 400


def make_package(agent: Agent, incident_id: str, actor: str) -> tuple[bytes, dict[str, Any]]:
    """The zip's bytes, and what is in it; its making stands on the timeline, after what is in it.

    Raises:
        UsageError: no such incident.
        ClocheError: evidence or the timeline cannot be read, or a document cannot be written.
    """
    incident = incidents(agent).get(incident_id)
    now = agent.now()
    dossier = with_head(agent, gather(agent, incident, now))
    evidence = read_evidence(agent, incident)
    chains = logistics_of(agent, incident.id).chains
    written = write_versions(
        agent, agent.home.documents / incident.id / FOLDER, f"{agent.text('reports.police_title')}-{incident.id}",
        lambda wording, _version: PoliceReport(dossier, wording, evidence, chains).build(),
    )  # fmt: skip
    contents = {
        **{f"documents/{path.name}": path.read_bytes() for path in written},
        **{name: content for name, (content, _facts) in evidence.items()},
        **_timeline(agent, dossier),
        "public-key.pem": as_pem(agent.keyring.public_key),
        "verify.py": files("agent.reports").joinpath("package_check.py").read_bytes(),
    }
    for language in LANGUAGES:
        wording = Wording(Text(language), zone_of(agent.settings.store.timezone))
        contents[README[language]] = wording.text(
            "reports.police_readme", id=incident.id, name=dossier.entities[0].entity.name,
            time=wording.with_offset(now), key=agent.keyring.public_key.hex(),
        ).encode("utf-8")  # fmt: skip
    package = _packed(agent, contents, now)
    digest = hashlib.sha256(package).hexdigest()
    Course(agent, incident.id, actor).record("law.police", sha256=digest, files=len(contents))
    gaps = PoliceReport(dossier, wording_of(agent), evidence, chains).gaps
    return package, {"files": sorted(contents), "sha256": digest, "size": len(package), "missing": list(gaps)}


def read_evidence(agent: Agent, incident: Incident) -> dict[str, tuple[bytes, Mapping[str, Any]]]:
    """Every file of every bundle, by its name in the zip, with what its manifest says of it.

    Raises:
        ClocheError: one cannot be read.
    """
    found: dict[str, tuple[bytes, Mapping[str, Any]]] = {}
    for folder in bundles(agent.home.evidence / incident.id):
        try:
            listed = {entry["name"]: entry for entry in json.loads((folder / "manifest.json").read_bytes())["files"]}
            for path in sorted(folder.iterdir()):
                found[f"evidence/{folder.name}/{path.name}"] = (path.read_bytes(), listed.get(path.name, {}))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ClocheError(f"{folder}: evidence cannot be read ({type(error).__name__})") from error
    return found


class PoliceReport:
    """The covering report, in one language."""

    def __init__(
        self,
        dossier: Dossier,
        wording: Wording,
        evidence: Mapping[str, tuple[bytes, Mapping[str, Any]]],
        chains: Sequence[Chain],
    ) -> None:
        """`evidence` as `read_evidence` gives it; `chains` are objects and whose hands they went through."""
        self._chains = chains
        self._dossier = dossier
        self._wording = wording
        self._text = wording.text
        self._evidence = evidence
        fields = Fields(dossier, wording, dossier.entities[0])
        self._filled = [filled for name in FACTS if (filled := fields.fill(name)) is not None]

    @property
    def gaps(self) -> Sequence[str]:
        """What is missing, in words."""
        return tuple(dict.fromkeys(filled.gap for filled in self._filled if filled.gap))

    def build(self) -> Document:
        """The document."""
        text, incident = self._text, self._dossier.incident
        counts = next(filled.text for filled in self._filled if filled.field == "counts")
        rows = [
            (
                filled.name,
                "\n".join(
                    part for part in (filled.text, text("reports.gap", what=filled.gap) if filled.gap else "") if part
                ),
            )
            for filled in self._filled
        ]  # fmt: skip
        missing = [Bullets(items=tuple(self.gaps))] if self.gaps else [Paragraph(text=text("reports.no_missing"))]
        return Document(
            language=text.language, title=text("reports.police_title"),
            subtitle=text(
                "reports.police_made", id=incident.id, time=self._wording.with_offset(self._dossier.now)
            ),
            lead=text(
                "reports.police_lead", name=self._dossier.entities[0].entity.name,
                found=self._wording.with_offset(incident.discovered_at),
                kind=text(f"incident.kind_{incident.kind}"), counts=counts,
            ),
            notices=(text("reports.police_masked"), text("reports.assists"), text("reports.contents_unverified")),
            blocks=(
                Heading(text=text("reports.p_facts")),
                Table(
                    header=(text("reports.t_field"), text("reports.t_content")), rows=tuple(rows), widths=(24, 76),
                    marked=frozenset(number for number, filled in enumerate(self._filled) if filled.gap),
                ),
                Heading(text=text("reports.p_evidence")), *self._listed(),
                Heading(text=text("reports.p_custody")), Paragraph(text=text("reports.police_untouched")),
                self._custody(), *self._objects(),
                Heading(text=text("reports.p_timeline")), Paragraph(text=head_line(self._dossier, self._wording)),
                Paragraph(text=text("reports.p_verify")),
                Heading(text=text("reports.p_missing")), *missing,
            ),
            head=head_line(self._dossier, self._wording),
        )  # fmt: skip

    def _listed(self) -> list[Table | Paragraph]:
        text = self._text
        if not self._evidence:
            return [Paragraph(text=text("reports.no_evidence"))]
        rows = [
            (name.removeprefix("evidence/"), f"{len(content):,}", hashlib.sha256(content).hexdigest())
            for name, (content, _facts) in list(self._evidence.items())[:SHOWN_EVIDENCE]
        ]
        table = Table(
            header=(text("reports.t_name"), text("reports.t_size"), "SHA-256"), rows=tuple(rows), widths=(34, 14, 52)
        )
        if len(self._evidence) <= SHOWN_EVIDENCE:
            return [table]
        return [table, Paragraph(text=text("reports.omitted", count=len(self._evidence) - SHOWN_EVIDENCE), small=True)]

    def _custody(self) -> Facts:
        text = self._text
        rows = []
        for bundle in self._dossier.evidence:
            manifest = self._evidence.get(f"evidence/{bundle.name}/manifest.json")
            kept = json.loads(manifest[0])["written_at"] if manifest else ""
            at = self._wording.with_offset(datetime.fromisoformat(kept)) if kept else text("report.unknown")
            packed = self._wording.with_offset(self._dossier.now)
            rows.append((
                bundle.name,
                f"{at}  {text('reports.custody_kept')}\n{packed}  {text('reports.custody_packed')}",
            ))  # fmt: skip
        return Facts(rows=tuple(rows) or ((text("reports.t_name"), text("reports.no_evidence")),))

    def _objects(self) -> list[Table]:
        text = self._text
        if not self._chains:
            return []
        rows = []
        for chain in self._chains:
            hands = [
                text(
                    "reports.handover", time=self._wording.with_offset(hand.given_at), giver=hand.giver,
                    taker=hand.taker, where=hand.where or "–", seal=hand.seal or "–",
                )
                for hand in chain.handovers
            ]  # fmt: skip
            rows.append((" ".join(part for part in (chain.item, chain.serial) if part), "\n".join(hands)))
        return [
            Table(
                header=(text("reports.t_object"), text("reports.t_hands")), rows=tuple(rows), widths=(30, 70),
                marked=frozenset(number for number, chain in enumerate(self._chains) if chain.problems),
            )
        ]  # fmt: skip


def _timeline(agent: Agent, dossier: Dossier) -> dict[str, bytes]:
    path = agent.timelines.path(dossier.incident.id)
    if dossier.head is None:
        return {}
    try:
        lines = path.read_bytes()
    except OSError as error:
        raise ClocheError(f"{path}: cannot be read: {error.strerror}") from error
    return {
        "timeline/timeline.jsonl": lines,
        "timeline/timeline.head.json": canonical(dossier.head.document()) + b"\n",
    }


def _packed(agent: Agent, contents: Mapping[str, bytes], now: datetime) -> bytes:
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    manifest = json.dumps(
        {"schema": "cloche.police/1", "made_at": now.isoformat(timespec="seconds"), "files": listed},
        ensure_ascii=False, indent=1,
    ).encode("utf-8")  # fmt: skip
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in contents.items():
            package.writestr(name, content)
        package.writestr("MANIFEST.json", manifest)
        package.writestr("MANIFEST.sig", base64.b64encode(agent.keyring.sign(manifest)))
    return target.getvalue()
