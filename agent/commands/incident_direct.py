"""`cloche incident order|ack|note|advance|grade|merge|split|verify`: direct an incident."""

from __future__ import annotations

import os
from typing import Any, get_args

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from agent.incident.pictures import order_line
from agent.incident.records import Phase
from agent.incident.wording import Wording
from config.schema import Role

incident_id = click.argument("incident_id", metavar="ID")
why = click.option("--reason", default="", help="Why; it is put on record.")


@click.command("order")
@common_options
@incident_id
@click.option("--role", type=click.Choice(get_args(Role)), help="Whose duty it is.")
@click.option("--what", default="", help="What is to be done, in a sentence.")
@click.option("--minutes", type=float, default=60.0, show_default=True, help="Until it is due.")
@click.option("--owner", default="", help="A person by name; whoever holds the role by default.")
def order(console: Console, *, incident_id: str, role: str | None, **given: Any) -> int:
    """Give an order to a role; without --role list the orders."""
    if role is None:
        answer = perform(console, "incident.orders", {"id": incident_id})
        if console.as_json:
            console.document(answer.document)
            return answer.exit_code
        for item in answer.document["orders"]:
            console.screen.print(order_line(console.text, item), soft_wrap=True)
        if not answer.document["orders"]:
            console.screen.print(console.text("orders.none"))
        return answer.exit_code
    answer = perform(console, "incident.order", {"id": incident_id, "role": role, **given})
    return _order(console, answer.document, answer.exit_code)


@click.command("ack")
@common_options
@click.argument("order_id", metavar="ORDER")
@click.option("--by", default="", help="Who acknowledged: by --code, or on the telephone.")
@click.option("--code", default="", help="The code that this person was sent.")
@click.option("--done", "end", flag_value="done", default="", help="It is done as well.")
@click.option("--cancel", "end", flag_value="cancelled", help="It is not to be done any more; --note says why.")
@click.option("--note", default="", help="What came of it.")
def ack(console: Console, *, order_id: str, end: str | None, **given: str) -> int:
    """Acknowledge ORDER (as I20261126-bkrt/3), and say that it is done."""
    answer = perform(console, "incident.ack", {"order": order_id, "end": end or "", **given})
    return _order(console, answer.document, answer.exit_code)


@click.command("note")
@common_options
@incident_id
@click.argument("text")
def note(console: Console, *, incident_id: str, text: str) -> int:
    """Put a remark on the timeline."""
    answer = perform(console, "incident.note", {"id": incident_id, "text": text})
    return _said(console, answer.document, answer.exit_code, "incident.noted")


@click.command("advance")
@common_options
@incident_id
@click.option("--to", type=click.Choice(get_args(Phase)), help="The next phase by default.")
@click.option("--override", default="", metavar="REASON", help="Go on although conditions are unmet.")
@why
def advance(console: Console, *, incident_id: str, to: str | None, **given: str) -> int:
    """Go on to the next phase once what must be true is true."""
    answer = perform(console, "incident.advance", {"id": incident_id, "to": to or "", **given})
    phase = console.text(f"incident.phase_{answer.document['phase']}")
    return _said(console, answer.document, answer.exit_code, "incident.advanced", phase=phase)


@click.command("grade")
@common_options
@incident_id
@click.option("--level", default="", help="Level of the plan: general, larger, major, extraordinary.")
@click.option("--law", default="", help="Grade of the law: larger, major, extraordinary.")
@click.option("--loss", "loss_cny", type=int, default=0, help="Direct loss in yuan.")
@why
def grade(console: Console, *, incident_id: str, **given: Any) -> int:
    """Grade up by hand; counts never take it back."""
    answer = perform(console, "incident.grade", {"id": incident_id, **given})
    wording = Wording(console.text, console.zone)
    words = {"level": wording.level(answer.document["level"]), "law": wording.law(answer.document["law_grade"])}
    return _said(console, answer.document, answer.exit_code, "incident.graded", **words)


@click.command("merge")
@common_options
@incident_id
@click.argument("other", metavar="OTHER")
@why
def merge(console: Console, *, incident_id: str, **given: str) -> int:
    """Let ID take OTHER over: they are one incident."""
    answer = perform(console, "incident.merge", {"id": incident_id, **given})
    return _said(console, answer.document, answer.exit_code, "incident.merged_done")


@click.command("split")
@common_options
@incident_id
@click.option("--path", "paths", multiple=True, required=True, type=click.Path(), help="An item that goes along.")
@why
def split(console: Console, *, incident_id: str, paths: tuple[str, ...], reason: str) -> int:
    """Make an incident of its own of some items of ID."""
    arguments = {"id": incident_id, "paths": [os.path.abspath(path) for path in paths], "reason": reason}
    answer = perform(console, "incident.split", arguments)
    return _said(console, answer.document, answer.exit_code, "incident.split_done")


@click.command("verify")
@common_options
@incident_id
@click.option("--head", default="", metavar="ENTRY:HASH", help="A head that was printed or kept elsewhere.")
def verify(console: Console, *, incident_id: str, head: str) -> int:
    """Check that nobody changed the timeline."""
    answer = perform(console, "incident.verify", {"id": incident_id, "head": head})
    if console.as_json:
        console.document(answer.document)
    elif answer.document["ok"]:
        printed = f"{answer.document['head']['seq']}:{answer.document['head']['hash'][:32]}"
        console.screen.print(
            console.text("incident.timeline_whole", entries=answer.document["entries"], head=printed), soft_wrap=True
        )
    else:
        console.say("incident.timeline_bad", line=answer.document["line"], fault=printable(answer.document["fault"]))
    return answer.exit_code


def _order(console: Console, document: dict[str, Any], exit_code: int) -> int:
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(order_line(console.text, document), soft_wrap=True)
    return exit_code


def _said(console: Console, document: dict[str, Any], exit_code: int, key: str, **values: str) -> int:
    if console.as_json:
        console.document(document)
    else:
        console.screen.print(console.text(key, id=document["id"], **values), soft_wrap=True)
    return exit_code
