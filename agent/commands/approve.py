"""`cloche approve`: say yes to what waits for it, as oneself or with the code that was sent."""

from __future__ import annotations

import click

from agent.cli import common_options
from agent.client import perform
from agent.console import Console, printable
from config.errors import UsageError


@click.command()
@common_options
@click.argument("subject", required=False, default="")
@click.option("--list", "is_list", is_flag=True, help="What waits for approval.")
@click.option("--person", default="", help="Who approves, when it is by code.")
@click.option("--code", default="", help="The code that this person was sent.")
def command(console: Console, *, subject: str, is_list: bool, person: str, code: str) -> int:
    """Approve SUBJECT (as `--list` shows it, with its version), or list what waits."""
    if is_list or not subject:
        answer = perform(console, "approval.list", {})
        if console.as_json:
            console.document(answer.document)
            return answer.exit_code
        for item in answer.document["waiting"]:
            given = ", ".join(word["person"] for word in item["given"]) or "–"
            console.screen.print(
                printable(console.text("approval.line", **{**item, "subject": item["name"], "given": given})),
                soft_wrap=True,
            )
        if not answer.document["waiting"]:
            console.screen.print(console.text("approval.none_waiting"))
        return answer.exit_code
    if bool(person) != bool(code):
        raise UsageError("--person and --code go together")
    answer = perform(console, "approval.give", {"subject": subject, "person": person, "code": code})
    if console.as_json:
        console.document(answer.document)
    else:
        document = answer.document
        console.screen.print(console.text("approval.taken", person=document["person"], subject=document["subject"]))
        if not document["missing"]:
            console.screen.print(console.text("approval.enough", subject=document["subject"]))
    return answer.exit_code
