"""Notices to customers: contacts go sealed to the running link at once and are stored nowhere.

A part has 100 rows at most. The link writes down each row before it tries it and again when it knows the outcome, so
after a crash a row is either untried, done, or *unknown*: begun with no outcome. An unknown row is never tried again by
itself, for nobody may be told twice. A link that restarts has lost the parts it had not finished: their untried rows
are `lost`, and the notice room makes them anew from its sealed list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import select

from agent.link.letters import strict
from agent.messages.inbox import dispatch
from agent.messages.models import BatchRow
from agent.messages.records import Answer
from config.errors import RefusedError
from config.identity import key_id
from config.numbering import fresh_letters

if TYPE_CHECKING:
    from agent.wiring import Agent

PART: Final = 100
LINK: Final = re.compile(r"https?:|www\.|[a-z0-9-]+\.(?:com|cn|net|org|top|xyz|cc|me)(?![a-z0-9])", re.IGNORECASE)
PROGRESS: Final = {"schema": str, "id": str, "outcomes": list, "ended": bool}
Outcome = Literal["sent", "failed", "unknown", "lost"]
BatchChannel = Literal["mail", "sms", "crm"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One customer of a notice. `number` is the campaign's own number of the row, all that is ever stored of it.

    `to` is a mailbox, a mobile or the CRM's id; `parameters` fill the approved SMS template.
    """

    number: int
    to: str = field(repr=False)
    subject: str = ""
    text: str = field(default="", repr=False)
    parameters: dict[str, str] = field(default_factory=dict, repr=False)


def send_batch(agent: Agent, campaign_id: str, channel: BatchChannel, rows: Iterable[Row]) -> tuple[str, ...]:
    """Seal rows for the link, in parts; ids of the parts. Outcomes come to the handler of purpose `receipts`.

    In `record` mode nothing is sealed or sent; the rows count as sent at once.

    Raises:
        RefusedError: no link runs to seal to, or the channel is not configured: nothing was sealed. Or an SMS has a
            link in it: customers are taught to trust none, and operators refuse it. Its part was not sealed.
        ClocheError: the disk refused it; parts that were sealed before are sent.
    """
    senders = agent.settings.senders
    recording = senders.mode == "record"
    configured = {
        "mail": senders.mails,
        "sms": senders.texts("notice"),
        "crm": bool(senders.crm_url.get_secret_value()),
    }
    key = agent.post.link_key()
    if not recording and not configured[channel]:
        raise RefusedError(agent.text("messages.batch_not_configured", channel=channel))
    if not recording and key is None:
        raise RefusedError(agent.text("messages.batch_no_link"))
    if not recording and key is not None and agent.post.published != key_id(key):
        from agent.messages.delivering import publish

        publish(agent, key)
    made = []
    for part in _parts(_without_links(agent, channel, rows)):
        numbers = [row.number for row in part]
        part_id = f"B{fresh_letters(12)}"
        _keep(agent, part_id, campaign_id, channel, "" if recording or key is None else key_id(key), numbers)
        if recording or key is None:
            _tell(agent, part_id, dict.fromkeys(numbers, ("sent", "")), ended=True)
        else:
            agent.post.put(part_id, _letter(part_id, channel, part), key)
        made.append(part_id)
    return tuple(made)


def take_progress(agent: Agent, name: str, content: bytes) -> bool:
    """The link's account of a part: every row that it began, and how it ended."""
    facts = strict(content, PROGRESS)
    if facts is None or facts["schema"] != "cloche.progress/1" or not name.startswith(f"{facts['id']}."):
        return False
    outcomes = {}
    for entry in facts["outcomes"][:PART]:
        if not (isinstance(entry, list) and len(entry) == 3 and isinstance(entry[0], int)):
            return False
        outcomes[entry[0]] = (_outcome(entry[1]), _word(entry[2]))
    return _tell(agent, facts["id"], outcomes, ended=facts["ended"])


def close_lost(agent: Agent, present: str) -> None:
    """Parts that were sealed to a link that is gone: what it did not say it began is lost and has to be made anew."""
    query = select(BatchRow).where(BatchRow.ended.is_(False), BatchRow.handed_to != present)
    with agent.inventory.sessions() as session:
        parts = [row.id for row in session.scalars(query)]
    for part_id in parts:
        agent.post.take_back(part_id)
        _tell(agent, part_id, {}, ended=True)


def _tell(agent: Agent, part_id: str, outcomes: dict[int, tuple[Outcome, str]], *, ended: bool) -> bool:
    """Pass on what is new of a part. Rows that nobody handed over are no rows of it."""
    with agent.inventory.sessions.begin() as session:
        row = session.get(BatchRow, part_id)
        if row is None or row.ended:
            return False
        open_rows: list[int] = json.loads(row.rows)
        begun = set(json.loads(row.begun)) | {n for n, (outcome, _why) in outcomes.items() if outcome == "unknown"}
        new = {n: outcomes[n] for n in open_rows if n in outcomes and outcomes[n][0] != "unknown"}
        left = [n for n in open_rows if n not in new]
        if ended:
            ways: dict[bool, Outcome] = {True: "unknown", False: "lost"}
            new |= {n: (ways[n in begun], outcomes.get(n, ("", ""))[1]) for n in left}
            left = []
        row.rows, row.begun = json.dumps(left), json.dumps(sorted(begun.intersection(left)))
        row.ended, row.taken = ended, row.taken + len(new)
        campaign, channel = row.campaign, row.channel
    if ended:
        agent.post.take_back(part_id)
    for outcome in ("sent", "failed", "unknown", "lost"):
        numbers = [number for number, found in new.items() if found[0] == outcome]
        if numbers:
            fields = {
                "outcome": outcome, "channel": channel, "rows": ",".join(map(str, numbers)),
                "reasons": ",".join(new[number][1] for number in numbers),
            }  # fmt: skip
            dispatch(
                agent,
                Answer(
                    purpose="receipts", about=campaign, person="", how="page", at=agent.now(), receipt=part_id,
                    fields=fields,
                ),
            )  # fmt: skip
    return True


def _without_links(agent: Agent, channel: BatchChannel, rows: Iterable[Row]) -> Iterable[Row]:
    for row in rows:
        if channel == "sms" and any(LINK.search(words) for words in row.parameters.values()):
            raise RefusedError(agent.text("messages.batch_link"))
        yield row


def _parts(rows: Iterable[Row]) -> Iterable[list[Row]]:
    part: list[Row] = []
    for row in rows:
        part.append(row)
        if len(part) == PART:
            yield part
            part = []
    if part:
        yield part


def _letter(part_id: str, channel: str, part: Sequence[Row]) -> dict[str, Any]:
    return {
        "id": part_id, "channel": channel,
        "rows": [
            {
                "number": row.number, "to": row.to, "subject": row.subject, "text": row.text,
                "parameters": row.parameters,
            }
            for row in part
        ],
    }  # fmt: skip


def _keep(agent: Agent, part_id: str, campaign: str, channel: str, handed_to: str, numbers: list[int]) -> None:
    with agent.inventory.sessions.begin() as session:
        session.add(
            BatchRow(
                id=part_id, campaign=campaign, channel=channel, handed_to=handed_to, made_at=agent.now(),
                rows=json.dumps(numbers), begun="[]", taken=0, ended=False,
            )
        )  # fmt: skip


def _outcome(word: object) -> Outcome:
    return "sent" if word == "sent" else "unknown" if word == "unknown" else "failed"


def _word(word: object) -> str:
    from agent.messages.inbox import REASONS

    return word if isinstance(word, str) and word in REASONS else ""
