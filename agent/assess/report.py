"""评估报告: an assessment as a document, made from the answer of `assess.run` alone.

Everything is there: the score with the points that it is the sum of, each measure with its evidence, what is unknown,
what got better or worse, and the five things to do next with the command of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from agent.assess.records import RISKS
from agent.assess.words import spoken
from agent.documents.model import Block, Document, Facts, Heading, Paragraph, Picture, Table
from agent.incident.wording import Wording

ORDER = ("bad", "unknown", "partial", "good", "not_applicable")


class AssessmentReport:
    """Builds the document of one answer (`cloche.assess/1`)."""

    def __init__(self, answer: dict[str, Any], png: bytes | None) -> None:
        """`png`: the picture in the document's language, where one could be drawn."""
        self._answer = answer
        self._png = png

    def build(self, wording: Wording) -> Document:
        """In one language."""
        text, answer = wording.text, self._answer
        left = [one for one in answer["measures"] if one["state"] in ("bad", "unknown", "partial")]
        unknown = sum(one["state"] == "unknown" for one in left)
        return Document(
            language=text.language,
            title=text("assess.report_title"),
            subtitle=text(
                "assess.report_made", store=answer["store"], number=answer["number"] or "–",
                time=wording.moment(datetime.fromisoformat(answer["at"])),
            ),
            lead=text(
                "assess.report_lead", score=figure(answer["score"]), left=len(left), unknown=unknown,
                measures=len(answer["measures"]),
            ),
            notices=(text("assess.report_notice"), text("incident.assists")),
            blocks=tuple(self._blocks(wording)),
            running=answer["store"],
        )  # fmt: skip

    def _blocks(self, wording: Wording) -> Iterator[Block]:
        text = wording.text
        if self._png is not None:
            yield Picture(png=self._png, caption=text("assess.picture_caption"))
        else:
            yield Facts(rows=((text("assess.in_all"), figure(self._answer["score"])), *(
                (text(f"assess.risk_{risk}"), figure(self._answer["risks"][risk])) for risk in RISKS
            )))  # fmt: skip
        yield from self._since_last(wording)
        yield Heading(text=text("assess.h_next"))
        by_id = {one["id"]: one for one in self._answer["measures"]}
        yield Table(
            header=(text("assess.t_number"), text("assess.t_what"), text("assess.t_gain"), text("assess.t_command")),
            rows=tuple(
                (
                    str(number), f"{text('assess.do_' + step['id'])}\n{self._said(wording, by_id[step['id']], 1)}",
                    f"+{step['gain']:g}", step["command"],
                )
                for number, step in enumerate(self._answer["next"], 1)
            ),
            widths=(6, 46, 10, 38),
        )  # fmt: skip
        yield Heading(text=text("assess.h_measures"))
        yield Paragraph(text=text("assess.points_note"), small=True)
        ordered = sorted(self._answer["measures"], key=lambda one: ORDER.index(one["state"]))
        yield Table(
            header=tuple(text(f"assess.t_{name}") for name in ("row", "measure", "state", "points", "found")),
            rows=tuple(
                (
                    one["row"],
                    text(f"assess.measure_{one['id']}"),
                    text(f"assess.state_{one['state']}"),
                    "–" if one["state"] == "not_applicable" else f"{one['points']:g} / {one['weight']:g}",
                    self._said(wording, one),
                )
                for one in ordered
            ),
            widths=(8, 24, 11, 11, 46),
            marked=frozenset(number for number, one in enumerate(ordered) if one["state"] == "bad"),
        )
        yield Heading(text=text("assess.h_risks"))
        yield Table(
            header=tuple(text(f"assess.t_{name}") for name in ("risk", "score", "points", "weakest")),
            rows=tuple(self._risk(wording, risk) for risk in RISKS),
            widths=(20, 12, 16, 52),
        )

    def _said(self, wording: Wording, one: dict[str, Any], most: int = 0) -> str:
        sayings = one["evidence"][:most] if most else one["evidence"]
        return "\n".join(spoken(wording.text, saying) for saying in sayings)

    def _risk(self, wording: Wording, risk: str) -> tuple[str, str, str, str]:
        """A risk's score, the points that it is made of, and the measures that cost most."""
        mine = [one for one in self._answer["measures"] if risk in one["risks"] and one["state"] != "not_applicable"]
        points, whole = sum(one["points"] for one in mine), sum(one["weight"] for one in mine)
        worst = sorted((one for one in mine if one["points"] < one["weight"]),
                       key=lambda one: one["points"] - one["weight"])[:3]  # fmt: skip
        comma = "、" if wording.text.language == "zh-CN" else "; "
        return (
            wording.text(f"assess.risk_{risk}"), figure(self._answer["risks"][risk]), f"{points:g} / {whole:g}",
            comma.join(wording.text(f"assess.measure_{one['id']}") for one in worst) or "–",
        )  # fmt: skip

    def _since_last(self, wording: Wording) -> Iterator[Block]:
        text, last = wording.text, self._answer["previous"]
        yield Heading(text=text("assess.h_since"))
        if last is None:
            yield Paragraph(text=text("assess.first_time"))
            return
        better, worse = changes(self._answer)
        comma = "、" if text.language == "zh-CN" else "; "
        rows = [
            (text("assess.last_time"), text("assess.last_value", score=figure(last["score"]),
                                            time=wording.moment(datetime.fromisoformat(last["at"])))),
            (text("assess.better"), comma.join(text(f"assess.measure_{name}") for name in better) or "–"),
            (text("assess.worse"), comma.join(text(f"assess.measure_{name}") for name in worse) or "–"),
        ]  # fmt: skip
        yield Facts(rows=tuple(rows))


def changes(answer: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Measures with more points than last time, and with fewer."""
    before = (answer["previous"] or {"measures": {}})["measures"]
    known = [
        (one["id"], one["points"] - before[one["id"]]["points"]) for one in answer["measures"] if one["id"] in before
    ]
    return [name for name, step in known if step > 0.005], [name for name, step in known if step < -0.005]


def figure(score: float | None) -> str:
    """A score for people."""
    return "–" if score is None else f"{score:g}"
