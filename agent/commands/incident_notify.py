"""`cloche incident notify ID draft|preview|test|approve|send|status|decide-not|call-list`: tell the customers."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import click

from agent.cli import common_options
from agent.client import perform
from agent.commands.open import published
from agent.console import Console, printable
from agent.notice.pictures import notice_lines
from agent.sealing.key_file import key_descriptor, key_file_option
from config.errors import UsageError

OPERATIONS: Final[dict[str, str]] = {
    "draft": "notice.draft", "preview": "notice.preview", "test": "notice.test", "approve": "notice.approve",
    "send": "notice.send", "status": "notice.status", "decide-not": "notice.decide_not",
    "call-list": "notice.call_list",
}  # fmt: skip
NEED_KEYS: Final = ("draft", "preview", "send", "call-list")


@click.command("notify")
@common_options
@click.argument("incident_id", metavar="ID")
@click.argument("act", type=click.Choice(list(OPERATIONS)), default="status")
@click.option("--to", default="", metavar="PERSON", help="test: a person of the settings who gets the texts.")
@click.option("--anew", is_flag=True, help="draft: make the list anew.")
@click.option("--also-told", is_flag=True, help="draft: also who was lately told about another incident.")
@click.option(
    "--uncertain", type=click.Choice(["resend", "told"]),
    help="send: a person's word on those who may have been told: send again, or count as told.",
)  # fmt: skip
@click.option("--reason", default="", help="decide-not: why customers need not be told.")
@click.option("--output", type=click.Path(path_type=Path), help="call-list: a new file (HTML).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@key_file_option
def notify(console: Console, *, act: str, output: Path | None, yes: bool, key_file: Path | None, **given: Any) -> int:
    """Tell customers: draft, preview, test, approve (two people), send; or decide not to, or a list for calls."""
    arguments = {
        "id": given["incident_id"], "to": given["to"], "anew": given["anew"], "also_told": given["also_told"],
        "uncertain": given["uncertain"] or "", "reason": given["reason"],
    }  # fmt: skip
    if (act == "call-list") != (output is not None):
        raise UsageError(console.text("notice.output_where"))
    if act == "send":
        console.confirm(console.text("notice.confirm_send", id=given["incident_id"]), yes=yes)
    with ExitStack() as stack:
        key = stack.enter_context(key_descriptor(key_file, console.text, wanted=act in NEED_KEYS))
        target = (stack.enter_context(published(output, console.text)),) if output is not None else ()
        answer = perform(console, OPERATIONS[act], arguments, descriptors=(*target, *key))
    if console.as_json:
        console.document(answer.document)
        return answer.exit_code
    texts = act in ("draft", "preview")
    for line in notice_lines(console.text, answer.document, console.time(answer.document["at"]), texts=texts):
        console.screen.print(printable(line), soft_wrap=True)
    if output is not None:
        console.say("notice.list_written", name=printable(str(output)), count=answer.document["written"])
    return answer.exit_code
