"""`cloche incident investigate ID [show|person|hypothesis|question|conclude|document]`: 技术调查."""

from __future__ import annotations

import re
from typing import Any, Final

import click
from rich.console import Console as Screen

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.incident.pictures import heading, local
from agent.investigation.naming import account_words
from config.text import Text

SHOWN_ACTORS: Final = 20


class WithIncident(click.Group):
    """A group that takes an incident first; `show` where no verb follows."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` where only the id, or options, were given."""
        if args and not args[0].startswith("-") and (len(args) == 1 or args[1].startswith("-")):
            args = [args[0], "show", *args[1:]]
        return super().parse_args(ctx, args)


@click.group("investigate", cls=WithIncident)
@click.argument("incident_id", metavar="ID")
def investigate(incident_id: str) -> None:
    """技术调查: who read what and since when, what may have happened, what is still open."""


@investigate.command("show")
@common_options
def show(console: Console) -> int:
    """All that is known."""
    return _ask(console, "show")


@investigate.command("person")
@common_options
@click.argument("actor")
@click.option("--person", required=True, help="Who used this account at this terminal.")
@click.option("--reason", default="", help="How that is known.")
def person(console: Console, **given: str) -> int:
    """Record who sat at ACTOR (a-1b2c3d). It is no finding of blame."""
    return _ask(console, "person", **given)


@investigate.group("hypothesis")
def hypothesis() -> None:
    """What may have happened."""


@hypothesis.command("add")
@common_options
@click.argument("words")
def add_hypothesis(console: Console, **given: str) -> int:
    """Add one of your own."""
    return _ask(console, "hypothesis", act="add", **given)


@hypothesis.command("confirm")
@common_options
@click.argument("subject", metavar="HYPOTHESIS")
@click.option("--reason", "words", required=True, help="Why.")
def confirm_hypothesis(console: Console, **given: str) -> int:
    """It is so, by your word."""
    return _ask(console, "hypothesis", act="confirm", **given)


@hypothesis.command("reject")
@common_options
@click.argument("subject", metavar="HYPOTHESIS")
@click.option("--reason", "words", required=True, help="Why not.")
def reject_hypothesis(console: Console, **given: str) -> int:
    """It is not so, by your word."""
    return _ask(console, "hypothesis", act="reject", **given)


@investigate.group("question")
def question() -> None:
    """What is not known yet."""


@question.command("add")
@common_options
@click.argument("words")
def add_question(console: Console, **given: str) -> int:
    """Ask one of your own."""
    return _ask(console, "question", act="add", **given)


@question.command("answer")
@common_options
@click.argument("subject", metavar="QUESTION")
@click.argument("words")
def answer_question(console: Console, **given: str) -> int:
    """Answer one."""
    return _ask(console, "question", act="answer", **given)


@investigate.command("conclude")
@common_options
@click.option("--manner", required=True, help="How it happened, in a sentence.")
@click.option("--cause", required=True, help="Why it could happen, or that it could not be found.")
@click.option("--hypothesis", default="", help="The hypothesis that it was, by id.")
def conclude(console: Console, **given: str) -> int:
    """People's conclusion; writes the report."""
    return _ask(console, "conclude", **given)


@investigate.command("document")
@common_options
def document(console: Console) -> int:
    """Write the report as things stand."""
    return _ask(console, "document")


def _ask(console: Console, verb: str, **given: Any) -> int:
    answer = perform(console, f"incident.investigate.{verb}", {"id": _incident(), **given})
    if console.as_json:
        console.document(answer.document)
    else:
        show_investigation(console.screen, console.text, answer.document)
    return answer.exit_code


def _incident() -> str:
    context: click.Context | None = click.get_current_context()
    while context is not None and "incident_id" not in context.params:
        context = context.parent
    return str(context.params["incident_id"]) if context else ""


def show_investigation(screen: Screen, text: Text, document: dict[str, Any]) -> None:
    """What matters first: the conclusion or what the traces show, then who, hypotheses, open questions."""
    ended, scope = document["conclusion"], document["scope"]
    if ended:
        _heading(screen, text("investigation.h_conclusion"))
        values = {**{name: ended[name] for name in ("by", "manner", "cause")}, "at": local(ended["at"])}
        _line(screen, text("investigation.lead_concluded", **values))
    _heading(screen, text("investigation.h_manner"))
    for words in document["manner"]:
        _line(screen, words)
    if scope["blind_until"]:
        _line(screen, text("investigation.s_blind_value", until=local(scope["blind_until"])), "yellow")
    if scope["gaps"]:
        words = text("investigation.s_gaps_value", count=scope["gaps"], first=local(scope["gap_times"][0]))
        _line(screen, words, "yellow")
    _heading(screen, text("investigation.h_who"))
    for actor in document["actors"][:SHOWN_ACTORS]:
        _actor(screen, text, actor)
    if len(document["actors"]) > SHOWN_ACTORS or document["more_actors"]:
        screen.print(f"  … +{len(document['actors'][SHOWN_ACTORS:]) + document['more_actors']}")
    if not document["actors"]:
        _line(screen, text("investigation.no_actors"))
    _heading(screen, text("investigation.h_hypotheses"))
    for item in document["hypotheses"]:
        _hypothesis(screen, item)
    _heading(screen, text("investigation.h_questions"))
    for item in document["questions"]:
        state = text("investigation.open") if item["open"] else f"{item['answer']} ({item['by']})"
        _line(screen, f"{item['id']:<16} {item['question']}  {state}", "" if item["open"] else "dim")
    for path in document.get("documents", ()):
        _line(screen, path)
    screen.print(text("investigation.no_guilt"), style="dim", soft_wrap=True)


def _heading(screen: Screen, words: str) -> None:
    """A part's name without the number that it has in the document."""
    heading(screen, re.sub(r"^(?:\d+\. |[一二三四五六七]、)", "", words))


def _line(screen: Screen, words: str, style: str = "") -> None:
    screen.print(f"  {printable(words)}", style=style, soft_wrap=True)


def _hypothesis(screen: Screen, item: dict[str, Any]) -> None:
    is_live = item["state"] in ("supported", "confirmed")
    style = {"possible": ""}.get(item["state"], "bold" if is_live else "dim")
    _line(screen, f"{item['id']:<16} {item['state_words']}  {item['title']}", style)
    for words in item["evidence"] if is_live else ():
        _line(screen, f"{'':<16} · {words}")


def _actor(screen: Screen, text: Text, actor: dict[str, Any]) -> None:
    mark = "▲" if actor["suspect"] else " "
    where = account_words(text, actor["user"], actor["client"] or actor["session"])
    read = text(
        "investigation.read_value", files=actor["files"], persons=f"{actor['persons']:,}", refused=actor["refused"],
        changed=actor["changed"],
    )  # fmt: skip
    who = text("investigation.person_unconfirmed")
    if actor["person"]:
        who = text("investigation.person_confirmed", person=actor["person"], by=actor["confirmed_by"])
    program = actor["programs"][0]["command"] or actor["programs"][0]["program"] if actor["programs"] else ""
    screen.print(
        f"  {mark} {actor['id']}  {printable(where)}  {printable(program)}  {read}  {printable(who)}",
        style="bold red" if actor["suspect"] else "", soft_wrap=True,
    )  # fmt: skip
