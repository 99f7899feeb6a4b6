"""A campaign: what an incident's customers are told. Two people approve exactly these texts to exactly this list.

A new draft is a new version with another digest, and needs everybody's word again; who was told stays told across
versions, lists and incidents (`agent.notice.told`). The lawyer may decide that nobody need be told (PIPL art. 57: where
harm is effectively avoided), with the reason on record; the authority may ask for it all the same, and then a campaign
can still be drafted and sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args

from sqlalchemy import func, select

from agent.incident.course import Course
from agent.incident.moments import zone_of
from agent.incident.records import Incident
from agent.incident.store import incidents
from agent.incident.wording import Wording
from agent.notice.lists import AffectedList, affected_list, make_list
from agent.notice.models import CampaignRow
from agent.notice.persons import Counted, digest_of_items, last_count
from agent.notice.texts import fill
from config.errors import RefusedError, UsageError
from config.text import LANGUAGES, Text

if TYPE_CHECKING:
    from agent.approvals.approving import Standing
    from agent.wiring import Agent
    from containment.keys import Unlocker

State = Literal["draft", "sending", "sent", "decided_not"]
Channel = Literal["sms", "mail", "crm"]
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
"""In the order in which a person is tried."""


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A version of a campaign. `texts` are as approved; `position` is the place of the list that comes next.

    `waits` says why nothing goes out just now: '' or a word of `notice.waits_…`.
    """

    id: int
    name: str
    incident: str
    version: int
    list_id: int
    texts: dict[str, Any] = field(repr=False)
    digest: str
    state: State
    reason: str
    by: str
    at: datetime
    changed_at: datetime
    position: int
    waits: str

    @property
    def channels(self) -> tuple[Channel, ...]:
        """By which it goes out, in order."""
        return tuple(self.texts.get("channels", ()))

    @property
    def also_told(self) -> bool:
        """Whether persons who were lately told about another incident are told again."""
        return bool(self.texts.get("also_told"))


def draft(  # noqa: PLR0913  three by name
    agent: Agent,
    incident_id: str,
    unlocker: Unlocker | None,
    actor: str,
    *,
    anew: bool = False,
    also_told: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Campaign:
    """Make the texts, and the list where there is none of these files yet (or `anew`); what stood before stays.

    Raises:
        UsageError: no such incident, a false alarm, or a setting is missing (`notice.hotline`).
        RefusedError: there is no key to seal the list with.
    """
    incident = incidents(agent).get(incident_id)
    if incident.phase == "dismissed":
        raise UsageError(agent.text("notice.was_false_alarm", id=incident.id))
    if not agent.settings.notice.hotline:
        raise UsageError(agent.text("notice.no_hotline"))
    made = affected_list(agent, incident.id)
    if made is None or anew or made.items != digest_of_items(incident):
        made = make_list(agent, incident.id, unlocker, actor, progress=progress)
    counted = last_count(agent, incident.id)
    if counted is None:
        raise UsageError(agent.text("notice.not_counted", id=incident.id))
    incident = incidents(agent).get(incident.id)
    zone = zone_of(agent.settings.store.timezone)
    found = fill(agent, incident, counted, {language: Wording(Text(language), zone) for language in LANGUAGES})
    texts = {**found.document(), "channels": list(channels_of(agent)), "also_told": also_told}
    digest = digest_of(texts, made)
    newest = newest_campaign(agent, incident.id)
    if newest is not None and newest.digest == digest and newest.state != "decided_not":
        return newest
    campaign = _add(agent, incident, texts, (made.id, digest), ("draft", "", actor))
    write_documents(agent, incident, campaign, counted)
    Course(agent, incident.id, campaign.by).record(
        "notice.drafted",
        version=campaign.version,
        digest=digest,
        persons=made.persons,
        channels=list(campaign.channels),
    )
    return campaign


def channels_of(agent: Agent) -> tuple[Channel, ...]:
    """Channels to customers that are configured; all of them where nothing is really sent."""
    senders = agent.settings.senders
    if senders.mode == "record":
        return CHANNELS[:2]
    there: dict[Channel, bool] = {
        "sms": senders.texts("notice"), "mail": senders.mails, "crm": bool(senders.crm_url.get_secret_value()),
    }  # fmt: skip
    return tuple(channel for channel in CHANNELS if there[channel])


def digest_of(texts: dict[str, Any], made: AffectedList) -> str:
    """SHA-256 of exactly what is approved: these texts and settings, to this list."""
    content = json.dumps([texts, made.digest], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def write_documents(agent: Agent, incident: Incident, campaign: Campaign, counted: Counted) -> None:
    """The sheet to approve, the public notice, and the letter to the platform where virtual numbers are concerned."""
    from agent.documents.write import write_versions
    from agent.notice import documents

    folder = agent.home.documents / incident.id
    write_versions(
        agent,
        folder,
        "notice-texts",
        lambda wording, version: documents.sheet(agent, campaign, counted, wording, version),
    )
    write_versions(
        agent, folder, "public-notice", lambda wording, version: documents.public(agent, campaign, wording, version)
    )
    if counted.virtual:
        write_versions(
            agent,
            folder,
            "platform-letter",
            lambda wording, version: documents.platform(agent, campaign, wording, version),
        )


def approval(agent: Agent, campaign: Campaign, actor: str) -> Standing:
    """Return once two people approved this version; the actor's own word counts where the rule lets it.

    Raises:
        RefusedError: words are missing; whoever may give them has been asked.
    """
    from agent.approvals import require

    about = agent.text("notice.approve_about", id=campaign.incident, version=campaign.version)
    return require(agent, "notice", subject_of(campaign.incident), campaign.digest, about, actor)


def subject_of(incident_id: str) -> str:
    """What approvals call it."""
    return f"notice:{incident_id}"


def test(agent: Agent, campaign: Campaign, person_name: str, actor: str) -> tuple[str, ...]:
    """Send the texts to a person of the settings, as a customer would get them; ids of the messages.

    Raises:
        UsageError: nobody of this name.
    """
    from agent.messages import tell

    person = agent.people.named(person_name)
    if person is None:
        raise UsageError(agent.text("notice.unknown_person", name=agent.mask(person_name)))
    texts = campaign.texts["texts"][agent.text.language]
    sms = campaign.texts["sms"]
    body = f"{sms['text']}\n\n{texts['mail']}" if sms else texts["mail"]
    body = body.replace("{greeting}", "")
    ids = tell(
        agent, [person.name], agent.text("notice.test_subject", subject=texts["mail_subject"]), agent.mask(body),
        purpose="test", incident=campaign.incident,
    )  # fmt: skip
    Course(agent, campaign.incident, agent.mask(actor)).record(
        "notice.tested", version=campaign.version, person=agent.mask(person.name)
    )
    return ids


def decide_not(agent: Agent, incident_id: str, actor: str, reason: str) -> Campaign:
    """The lawyer's word that customers need not be told.

    Raises:
        RefusedError: the actor is not the lawyer; a shop without one (`respond.single_handed`) says so on record.
        UsageError: no reason, no such incident, or customers are being told.
    """
    incident = incidents(agent).get(incident_id)
    person = agent.people.of_account(actor)
    if person is None or "legal" not in person.roles:
        lawyers = agent.people.holding(["legal"])
        if lawyers or not agent.settings.respond.single_handed:
            names = "、".join(lawyer.name for lawyer in lawyers) or "—"
            raise RefusedError(agent.text("notice.only_legal", names=names))
    if not reason.strip():
        raise UsageError(agent.text("notice.reason_needed"))
    newest = newest_campaign(agent, incident.id)
    if newest is not None and newest.state in ("sending", "sent"):
        raise UsageError(agent.text("notice.already", id=incident.id))
    masked = agent.mask(reason.strip())
    campaign = _add(agent, incident, {}, (0, ""), ("decided_not", masked, actor))
    Course(agent, incident.id, campaign.by).record("notice.decided_not", reason_given=masked)
    return campaign


def notice_decided(agent: Agent, incident_id: str) -> bool:
    """Customers were told, the lawyer decided that they need not be, or all files were read and hold nobody's data."""
    newest = newest_campaign(agent, incident_id)
    if newest is not None and newest.state in ("sent", "decided_not"):
        return True
    counted = last_count(agent, incident_id)
    if counted is None or not counted.files or not counted.complete:
        return False
    incident = incidents(agent).get(incident_id)
    return not counted.persons and not counted.virtual and counted.items == digest_of_items(incident)


def newest_campaign(agent: Agent, incident_id: str) -> Campaign | None:
    """The newest version; None if nothing was drafted or decided."""
    with agent.inventory.reading() as session:
        row = session.scalars(
            select(CampaignRow).where(CampaignRow.incident == incident_id).order_by(CampaignRow.version.desc()).limit(1)
        ).first()
        return None if row is None else _as_campaign(row)


def campaign_of(agent: Agent, incident_id: str) -> Campaign:
    """The newest version of an incident.

    Raises:
        UsageError: nothing was drafted yet.
    """
    found = newest_campaign(agent, incidents(agent).get(incident_id).id)
    if found is None or not found.list_id:
        raise UsageError(agent.text("notice.no_draft"))
    return found


def campaigns(agent: Agent, state: State) -> list[Campaign]:
    """All campaigns in a state, oldest first."""
    with agent.inventory.reading() as session:
        rows = session.scalars(select(CampaignRow).where(CampaignRow.state == state).order_by(CampaignRow.id))
        return [_as_campaign(row) for row in rows]


def campaign_named(agent: Agent, name: str) -> Campaign | None:
    """A campaign by its name."""
    with agent.inventory.reading() as session:
        row = session.scalars(select(CampaignRow).where(CampaignRow.name == name)).first()
        return None if row is None else _as_campaign(row)


def change(agent: Agent, campaign: Campaign, **values: Any) -> Campaign:
    """Set `state`, `position` or `waits`; the campaign as it is then."""
    with agent.inventory.sessions.begin() as session:
        row = session.get_one(CampaignRow, campaign.id)
        for name, value in values.items():
            setattr(row, name, value)
        row.changed_at = agent.now()
        session.flush()
        return _as_campaign(row)


def _add(
    agent: Agent, incident: Incident, texts: dict[str, Any], of: tuple[int, str], how: tuple[State, str, str]
) -> Campaign:
    (list_id, digest), (state, reason, actor) = of, how
    now = agent.now()
    with agent.inventory.sessions.begin() as session:
        version = 1 + (
            session.scalar(select(func.max(CampaignRow.version)).where(CampaignRow.incident == incident.id)) or 0
        )
        row = CampaignRow(
            name=f"{incident.id}-N{version}", incident=incident.id, version=version, list=list_id,
            texts=json.dumps(texts, ensure_ascii=False), digest=digest, state=state, reason=reason,
            by=agent.mask(actor), at=now, changed_at=now, position=0, waits="",
        )  # fmt: skip
        session.add(row)
        session.flush()
        return _as_campaign(row)


def _as_campaign(row: CampaignRow) -> Campaign:
    return Campaign(
        id=row.id, name=row.name, incident=row.incident, version=row.version, list_id=row.list,
        texts=json.loads(row.texts), digest=row.digest, state=cast("State", row.state), reason=row.reason, by=row.by,
        at=row.at, changed_at=row.changed_at, position=row.position, waits=row.waits,
    )  # fmt: skip
