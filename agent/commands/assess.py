"""`cloche assess`: every measure of the plan with its evidence, what to do next, what a theft tonight would mean."""

from __future__ import annotations

import base64
import contextlib
import os
import shlex
from pathlib import Path
from typing import Any, Final

import click

from agent.assess.pack import load_pack
from agent.assess.view import history_table, show_assessment, show_tonight
from agent.cli import common_options
from agent.client import perform
from agent.commands.protect import show_refused
from agent.console import Console, printable
from agent.documents.write import Format
from agent.inventory.page import check_target
from config.errors import ClocheError, UsageError
from config.text import LANGUAGES, Text
from containment.atomic import write_file

SHOWN: Final = 20
FORMATS: Final[tuple[Format, ...]] = ("html", "docx", "pdf")


@click.group(invoke_without_command=True)
@common_options
@click.option("--html", type=click.Path(dir_okay=False), help="Write the report to this file.")
@click.option("-o", "--output", type=click.Path(file_okay=False), help="Write html, docx and pdf into this folder.")
@click.option("--all", "everything", is_flag=True, help="Show what is good, too.")
@click.option("--dry-run", is_flag=True, help="Keep nothing: it is no part of the history.")
def command(console: Console, html: str | None, output: str | None, everything: bool, dry_run: bool) -> int:
    """Check every measure of the plan and the four risks, and say what to do next."""
    if click.get_current_context().invoked_subcommand is not None:
        return 0
    if html:
        check_target(html, console.text)
    make_folder(console, output)
    answer = perform(console, "assess.run", {"dry_run": dry_run})
    document = answer.document
    if html:
        write_report(console, document, Path(html), "html", console.text)
    for ending in FORMATS if output else ():
        for language in LANGUAGES:
            text = Text(language)
            name = f"{text('assess.file_name')}-{document['at'][:10]}.{language}.{ending}"
            write_report(console, document, Path(str(output)) / name, ending, text)
    if console.as_json:
        console.document(document)
    else:
        show_assessment(console, document, everything=everything)
    return int(answer.exit_code)


def make_folder(console: Console, folder: str | None) -> None:
    """Make the folder that documents go to, before anything is worked out.

    Raises:
        UsageError: it cannot be made or written.
    """
    if folder is None:
        return
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(console.text("cli.unwritable", path=folder, cause=error.strerror)) from error
    check_target(os.path.join(folder, "x"), console.text)


def write_report(console: Console, document: dict[str, Any], path: Path, ending: Format, text: Text) -> None:
    """The 评估报告 of an answer in one language and format, under the caller's rights.

    Raises:
        ClocheError: it cannot be written; without a font for Chinese a PDF is left out, and that is said.
    """
    from agent.assess.picture import as_svg
    from agent.assess.report import AssessmentReport
    from agent.documents.typeset import NoFontError, as_png
    from agent.documents.write import render
    from agent.incident.wording import Wording

    png: bytes | None = None
    try:
        with contextlib.suppress(NoFontError):
            png = as_png(as_svg(text, document["score"], document["risks"], document["history"]))
        content = render(AssessmentReport(document, png).build(Wording(text, console.zone)), ending)
        write_file(path, content)
        console.say("assess.written", path=printable(str(path)))
    except NoFontError as error:
        console.say("assess.not_written", path=printable(str(path)), cause=str(error))
    except OSError as error:
        raise ClocheError(console.text("cli.unwritable", path=str(path), cause=error.strerror)) from error


@command.command("history")
@common_options
def history_command(console: Console) -> int:
    """How the score went."""
    answer = perform(console, "assess.history", {})
    if console.as_json:
        console.document(answer.document)
    elif answer.document["assessments"]:
        console.screen.print(history_table(console, answer.document["assessments"]))
    else:
        console.screen.print(console.text("assess.no_history"))
    return int(answer.exit_code)


@command.command("attest")
@common_options
@click.argument("subject", required=False, default="")
@click.option("--failed", is_flag=True, help="It was looked at and is not so.")
@click.option("--on", "at", default="", help="When it was done: ISO 8601, or HH:MM today. Now by default.")
@click.option("--by", default="", help="Whose word it is: a name of the settings.")
@click.option("--note", default="", help="What was looked at, and what was found.")
def attest_command(console: Console, **given: Any) -> int:
    """Put a person's word on record for what a machine cannot see; without SUBJECT list what can be attested."""
    answer = perform(console, "assess.attest", given)
    if console.as_json:
        console.document(answer.document)
        return int(answer.exit_code)
    text = console.text
    for one in answer.document["attestations"]:
        if given["subject"] in ("", one["subject"]):
            state = "never" if one["at"] is None else "failed" if not one["ok"] else "holds" if one["holds"] else "old"
            console.screen.print(
                text(f"assess.word_{state}", subject=one["subject"], title=one["title"], by=one["by"],
                     time=console.time(one["at"]), days=f"{one['days']:g}"),
                soft_wrap=True,
            )  # fmt: skip
    return int(answer.exit_code)


@command.command("dispose")
@common_options
@click.option("--seal", "how", flag_value="seal", default="seal", help="Encrypt them where they lie (the default).")
@click.option("--vault", "how", flag_value="vault", help="Put them into the vault.")
@click.option("--older-than", type=float, metavar="DAYS", help="Only what has not changed for so long.")
@click.option("--exposed", "which", flag_value="exposed", multiple=True, help="Files that any account can read.")
@click.option("--shared", "which", flag_value="shared", multiple=True, help="Files in shared folders.")
@click.option("--removable", "which", flag_value="removable", multiple=True, help="Files on removable media.")
@click.option("--backups", "which", flag_value="backups", multiple=True, help="Backups and dumps.")
@click.option("--dry-run", is_flag=True, help="Show them and stop.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def dispose_command(console: Console, *, dry_run: bool, yes: bool, **given: Any) -> int:
    """Put stale exports (or what the options say) right in one step, after a look at them."""
    arguments = {**given, "which": list(given["which"]) or ["stale"]}
    look = perform(console, "assess.dispose", {**arguments, "preview": True})
    document = look.document
    if not dry_run and document["files"]:
        if not yes:
            show_chosen(console, document)
        question = f"assess.confirm_{document['how']}"
        console.confirm(console.text(question, files=len(document["files"])), yes=yes)
        look = perform(console, "assess.dispose", arguments)
        document = look.document
    if console.as_json:
        console.document(document)
        return int(look.exit_code)
    if document["preview"]:
        show_chosen(console, document)
    else:
        console.screen.print(
            console.text(f"assess.disposed_{document['how']}", done=document["done"], persons=document["persons"])
        )
        show_refused(console, document["refused"], "path")
    return int(look.exit_code)


def show_chosen(console: Console, document: dict[str, Any]) -> None:
    """The set: worst first, on stderr, for stdout carries the answer."""
    files = document["files"]
    console.say("assess.chosen", files=len(files), persons=f"{document['persons']:,}")
    for file in files[:SHOWN]:
        click.echo(
            f"  {file['persons']:>9,}  {console.text('assess.days', days=file['days'])}  {printable(file['path'])}",
            err=True,
        )
    if len(files) > SHOWN:
        click.echo(f"  … +{len(files) - SHOWN}", err=True)
    if document["changed"]:
        console.say("assess.chosen_changed", count=document["changed"])


@command.command("tonight")
@common_options
@click.option(
    "--drafts", type=click.Path(file_okay=False), help="Write the drafts, stamped hypothetical, into this folder."
)
@click.option("--format", "formats", type=click.Choice(FORMATS), multiple=True, help="Of the drafts; html and docx.")
def tonight_command(console: Console, drafts: str | None, formats: tuple[str, ...]) -> int:
    """If this server were stolen tonight: who would be concerned, which duties would start, what would lower it."""
    make_folder(console, drafts)
    endings = list(formats) or ["html", "docx"] if drafts else []
    answer = perform(console, "assess.tonight", {"drafts": endings})
    document = answer.document
    for name, content in document.pop("files", {}).items():
        path = Path(str(drafts)) / os.path.basename(name)
        try:
            write_file(path, base64.b64decode(content))
        except OSError as error:
            raise ClocheError(console.text("cli.unwritable", path=str(path), cause=error.strerror)) from error
        console.say("assess.written", path=printable(str(path)))
    if console.as_json:
        console.document(document)
    else:
        show_tonight(console, document)
    return int(answer.exit_code)


@command.group("collection")
def collection_group() -> None:
    """Where customers hand over information: what for, on what ground, for how long, and where it is kept."""


@collection_group.command("list")
@common_options
def collection_list(console: Console) -> int:
    """All collection points."""
    return show_points(console, perform(console, "assess.collection", {"act": "list"}).document)


@collection_group.command("add")
@common_options
@click.argument("channel")
@click.option("--name", default="", help="What it is called; the channel's name by default.")
@click.option("--purpose", default="", help="What for.")
@click.option("--basis", default="", help="consent, contract, law, emergency or public (个人信息保护法 第十三条).")
@click.option("--retention-days", type=int, help="How long it is kept.")
@click.option("--entity", "entities", multiple=True, help="A type of information; the channel's usual ones by default.")
@click.option("--path", "paths", multiple=True, help="Where it is kept: file, folder, or the beginning of a URL.")
@click.option("--outside", default="", help="Where it is kept, if no scan can look there.")
def collection_add(console: Console, **given: Any) -> int:
    """Enter a point of CHANNEL, or change the one of that name; what is not said stays."""
    paths = [path if "://" in path else os.path.abspath(path) for path in given.pop("paths")]
    name = given.pop("name") or channel_name(given["channel"], console.text)
    arguments = {**given, "act": "add", "name": name, "paths": paths, "entities": list(given["entities"])}
    return show_points(console, perform(console, "assess.collection", arguments).document)


@collection_group.command("remove")
@common_options
@click.argument("name")
def collection_remove(console: Console, name: str) -> int:
    """Strike a point: it is no longer collected there."""
    return show_points(console, perform(console, "assess.collection", {"act": "remove", "name": name}).document)


@collection_group.command("check")
@common_options
def collection_check(console: Console) -> int:
    """What was found that no point explains, what is kept too long, and which points were never scanned."""
    document = perform(console, "assess.collection", {"act": "check"}).document
    if console.as_json:
        console.document(document)
        return 0
    text, say = console.text, console.screen.print
    say(text("assess.check_unexplained", count=len(document["unexplained"])), style="bold")
    for one in document["unexplained"][:SHOWN]:
        say(f"  {one['persons']:>9,}  {printable(one['path'])}  {', '.join(one['entities'])}", soft_wrap=True)
    say(text("assess.check_outlived", count=len(document["outlived"])), style="bold")
    for one in document["outlived"][:SHOWN]:
        say(
            f"  {one['persons']:>9,}  {text('assess.days', days=one['days'])}  {printable(one['path'])}", soft_wrap=True
        )
    say(text("assess.check_unseen", count=len(document["unseen"])), style="bold")
    for name in document["unseen"]:
        say(f"  {printable(name)}")
    return 0


@collection_group.command("suggest")
@common_options
def collection_suggest(console: Console) -> int:
    """Points that the last scan speaks of, as commands to complete."""
    document = perform(console, "assess.collection", {"act": "suggest"}).document
    if console.as_json:
        console.document(document)
        return 0
    if not document["suggested"]:
        console.screen.print(console.text("assess.nothing_suggested"))
    for one in document["suggested"]:
        words = channel_name(one["channel"], console.text)
        console.screen.print(console.text("assess.suggested", channel=words, persons=f"{one['persons']:,}"))
        console.screen.print(
            f"  cloche assess collection add {one['channel']} --purpose TEXT --basis consent --retention-days 365 "
            f"--path {shlex.quote(one['path'])}",
            style="bold", soft_wrap=True,
        )  # fmt: skip
    return 0


def channel_name(channel: str, text: Text) -> str:
    """A channel in words; itself where there is none."""
    found = load_pack().channel(channel)
    return found.title[text.language] if found else channel


def show_points(console: Console, document: dict[str, Any]) -> int:
    """One line a point, with what it lacks."""
    if console.as_json:
        console.document(document)
        return 0
    text = console.text
    if not document["points"]:
        console.screen.print(text("assess.no_points"))
    for one in document["points"]:
        days = text("assess.days", days=one["retention_days"]) if one["retention_days"] else "–"
        where = "; ".join([*one["paths"], *([one["outside"]] if one["outside"] else [])]) or "–"
        console.screen.print(
            f"{printable(one['name'])}  [{channel_name(one['channel'], text)}]  {printable(one['purpose']) or '–'}  "
            f"{one['basis'] or '–'}  {days}  {printable(where)}",
            soft_wrap=True,
        )
        for lack in one["lacks"]:
            console.screen.print("  " + text("assess.lacks", what=text(f"assess.field_{lack}")), style="yellow")
    return 0


@command.group("blind")
def blind_group() -> None:
    """看不到的地方: what holds customer information and no scan can see, with an owner who looks at it."""


@blind_group.command("list")
@common_options
def blind_list(console: Console) -> int:
    """All places out of sight."""
    return show_spots(console, perform(console, "assess.blind", {"act": "list"}).document)


@blind_group.command("add")
@common_options
@click.argument("name")
@click.option(
    "--kind", default="", help="windows_till, phone, cloud, paper, wechat_group, camera, vendor_system, other."
)
@click.option("--place", default="", help="Where it is, and what lies there.")
@click.option("--owner", default="", help="Who looks after it: a name of the settings.")
@click.option("--every", "every_days", type=int, help="Days after which it is looked at again (90).")
def blind_add(console: Console, **given: Any) -> int:
    """Enter a place, or change the one of that name."""
    return show_spots(console, perform(console, "assess.blind", {**given, "act": "add"}).document)


@blind_group.command("attest")
@common_options
@click.argument("name")
@click.option("--by", default="", help="Who has looked; its owner by default.")
@click.option("--note", default="", help="What was found.")
def blind_attest(console: Console, **given: Any) -> int:
    """Say that somebody has looked at it today."""
    return show_spots(console, perform(console, "assess.blind", {**given, "act": "attest"}).document)


@blind_group.command("remove")
@common_options
@click.argument("name")
def blind_remove(console: Console, name: str) -> int:
    """Strike a place that is no more."""
    return show_spots(console, perform(console, "assess.blind", {"act": "remove", "name": name}).document)


@blind_group.command("suggest")
@common_options
def blind_suggest(console: Console) -> int:
    """Kinds of places that shops have and that are not entered yet."""
    document = perform(console, "assess.blind", {"act": "suggest"}).document
    if console.as_json:
        console.document(document)
        return 0
    for kind in document["suggested"]:
        words = console.text(f"assess.kind_{kind}")
        console.screen.print(f"{words}\n  cloche assess blind add {shlex.quote(words)} --kind {kind} --owner NAME",
                             soft_wrap=True)  # fmt: skip
    return 0


def show_spots(console: Console, document: dict[str, Any]) -> int:
    """One line a place, overdue ones standing out."""
    if console.as_json:
        console.document(document)
        return 0
    text = console.text
    if not document["spots"]:
        console.screen.print(text("assess.no_spots"))
    for one in document["spots"]:
        console.screen.print(
            text(
                "assess.spot", name=printable(one["name"]), kind=text(f"assess.kind_{one['kind']}"),
                owner=printable(one["owner"]) or text("assess.nobody"), days=one["every_days"],
                time=console.time(one["attested_at"]),
            ),
            style="yellow" if one["overdue"] else "", soft_wrap=True,
        )  # fmt: skip
    return 0
