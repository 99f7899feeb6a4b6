"""An assessment on a terminal: the score, the risks, five things to do, then what is not good, with evidence."""

from __future__ import annotations

from typing import Any, Final

from rich.table import Table
from rich.text import Text as Styled

from agent.assess.records import RISKS
from agent.assess.report import changes, figure
from agent.console import Console, printable

BLOCKS: Final = 24
STYLES: Final = {"bad": "bold red", "unknown": "magenta", "partial": "yellow", "good": "green", "not_applicable": "dim"}


def show_assessment(console: Console, answer: dict[str, Any], *, everything: bool) -> None:
    """All of it that a person needs; with `everything` also what is good."""
    text, screen = console.text, console.screen
    screen.print(text("assess.headline", store=answer["store"], score=figure(answer["score"])), style="bold")
    before = answer["previous"]
    for name, score in ((risk, answer["risks"][risk]) for risk in RISKS):
        last = None if before is None else before["risks"].get(name)
        step = "" if score is None or last is None else f"{score - last:+.1f}".replace("+0.0", "").replace("-0.0", "")
        screen.print(f"  {bar(score)} {figure(score):>5}  {text('assess.risk_' + name)} {step}", soft_wrap=True)
    if before is not None:
        better, worse = changes(answer)
        screen.print("  " + text("assess.compared", time=console.time(before["at"]), score=figure(before["score"]),
                                 better=len(better), worse=len(worse)), style="dim", soft_wrap=True)  # fmt: skip
    screen.print("\n" + text("assess.h_next"), style="bold")
    for number, step in enumerate(answer["next"], 1):
        title = text(f"assess.do_{step['id']}")
        screen.print(f"  {number}. {title}  (+{step['gain']:g})", soft_wrap=True)
        screen.print(Styled(f"     {printable(step['command'])}", style="bold"), soft_wrap=True)
    if not answer["next"]:
        screen.print("  " + text("assess.nothing_next"))
    screen.print("\n" + text("assess.h_left"), style="bold")
    for one in answer["measures"]:
        if everything or one["state"] in ("bad", "unknown", "partial"):
            show_measure(console, one)
    screen.print(text("assess.points_note"), style="dim", soft_wrap=True)


def show_measure(console: Console, one: dict[str, Any]) -> None:
    """One measure with its points and its evidence."""
    text = console.text
    points = "–" if one["state"] == "not_applicable" else f"{one['points']:g}/{one['weight']:g}"
    line = Styled(f"  {one['row']:<5} ")
    line.append(text(f"assess.state_{one['state']}"), style=STYLES[one["state"]])
    line.append(f"  {one['title']}  {points}")
    console.screen.print(line, soft_wrap=True)
    for said in one["said"]:
        console.screen.print(f"         {printable(said)}", style="dim", soft_wrap=True)


def bar(score: float | None) -> str:
    """A bar of blocks."""
    filled = 0 if score is None else round(BLOCKS * score / 100)
    return "█" * filled + "░" * (BLOCKS - filled)


def history_table(console: Console, rows: list[dict[str, Any]]) -> Table:
    """One line an assessment, newest first."""
    text = console.text
    table = Table(box=None, pad_edge=False)
    for name in ("number", "when", "by"):
        table.add_column(text(f"assess.t_{name}"))
    for name in ("in_all", *(f"risk_{risk}" for risk in RISKS)):
        table.add_column(text(f"assess.{name}"), justify="right")
    for row in rows:
        table.add_row(
            str(row["number"]), console.time(row["at"]), printable(row["actor"]), figure(row["score"]),
            *(figure(row["risks"].get(risk)) for risk in RISKS),
        )  # fmt: skip
    return table


def show_tonight(console: Console, answer: dict[str, Any]) -> None:
    """What a thief would have, what would follow, what would lower it."""
    text, screen = console.text, console.screen
    screen.print(text("assess.tonight_head", persons=f"{answer['persons']:,}", sensitive=f"{answer['sensitive']:,}"),
                 style="bold red" if answer["persons"] else "bold green", soft_wrap=True)  # fmt: skip
    screen.print("  " + text("assess.tonight_hypothetical"), style="dim", soft_wrap=True)
    for name in ("strays", "live", "encrypted_volume", "sealed"):
        part = answer[name]
        screen.print("  " + text(f"assess.tonight_{name}", files=f"{part['files']:,}", persons=f"{part['persons']:,}"),
                     soft_wrap=True)  # fmt: skip
    for one in answer["worst"]:
        screen.print(f"    {one['persons']:>9,}  {printable(one['name'])}", soft_wrap=True)
    screen.print(text("assess.h_duties"), style="bold")
    for clock in answer["duties"]:
        if clock["state"] in ("running", "overdue"):
            flag = "" if clock["verified"] else f"  [{text('incident.unverified')}]"
            due = console.time(clock["deadline"]) if clock["deadline"] else text("assess.at_once")
            screen.print(f"  {due}  {clock['title']} → {clock['authority']}{flag}", soft_wrap=True)
    screen.print(text("assess.h_drafts", count=len(answer["drafts"])), style="bold")
    for title in answer["drafts"]:
        screen.print(f"  {printable(title)}", soft_wrap=True)
    screen.print(text("assess.h_lower"), style="bold")
    for way in answer["lower"]:
        screen.print("  " + text(f"assess.lower_{way['id']}", files=f"{way['files']:,}", persons=f"{way['persons']:,}"),
                     soft_wrap=True)  # fmt: skip
        screen.print(Styled(f"     {printable(way['command'])}", style="bold"), soft_wrap=True)
    screen.print(text("incident.assists"), style="dim")
