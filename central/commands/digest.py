"""`cloche-hq digest`: the weekly two lines, shown or sent."""

from __future__ import annotations

import click

from central.console import Console, console_options
from central.digest.letters import readers, week_of, write_letter
from central.digest.weekly import send_due
from central.moments import now
from central.office import open_office
from config.errors import ExitCode, UsageError


@click.command()
@console_options
@click.option("--dry-run", is_flag=True, help="Show what would be sent to whom; send nothing.")
def command(console: Console, dry_run: bool) -> int:
    """Send this week's two lines to whoever has not had them, once their hour has come; `serve` does so by itself."""
    office = open_office(console.home)
    try:
        settings, moment = office.settings.digest, now()
        if not (settings.smtp_host or settings.robot_kind):
            raise UsageError(f"{console.home.folder / 'hq.toml'}: [digest] names neither smtp_host nor robot_kind")
        week = week_of(moment, settings, office.timezone)
        if dry_run:
            with office.sessions() as session:
                letters = [
                    write_letter(session, who, person, week or "—", moment, (office.name, office.timezone))
                    for who, person in readers(session, settings)
                ]
            document = {
                "schema": "cloche.hq-digest/1", "week": week, "sent": False,
                "letters": [
                    {"to": letter.to, "subject": said.subject, "how": said.how, "needs": said.needs}
                    for letter in letters
                    for said in (letter.digest,)
                ],
            }  # fmt: skip
            lines = [
                f"{letter.to or settings.robot_kind}: {letter.digest.subject}\n{letter.digest.text}"
                for letter in letters
            ]
            console.answer(document, lines or [console.text("hq_digest.nobody")])
            return int(ExitCode.DONE)
        ends = send_due(office, moment)
        console.answer(
            {"schema": "cloche.hq-digest/1", "week": week, "sent": True, "ends": ends},
            [f"{subject}: {state}" for subject, state in ends.items()] or [console.text("hq_digest.nothing_due")],
        )
        return int(ExitCode.DONE if all(state == "sent" for state in ends.values()) else ExitCode.INCOMPLETE)
    finally:
        office.close()
