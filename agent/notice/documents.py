"""Documents of a notice: the sheet that two people approve, the public notice, the letter to a platform, the call list.

All but the call list hold no customer's value. The call list does: it is made in memory and leaves sealed, or for two
people who approved it (`agent.notice.reading`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from agent.documents.model import Block, Bullets, Document, Facts, Heading, Paragraph, Table
from agent.incident.wording import Wording
from agent.notice.campaign import Campaign
from agent.notice.lists import Listed
from agent.notice.persons import Counted
from agent.notice.planning import Skip

if TYPE_CHECKING:
    from agent.wiring import Agent


def sheet(agent: Agent, campaign: Campaign, counted: Counted, wording: Wording, version: int) -> Document:
    """What is approved: numbers, channels, each text, and the digest that the approval is of."""
    text, texts = wording.text, campaign.texts["texts"]
    sms = campaign.texts["sms"]
    blocks: list[Block] = [
        Heading(text=text("notice.sheet_persons")),
        Facts(rows=tuple(count_rows(wording, counted))),
        Heading(text=text("notice.sheet_how")),
        Facts(
            rows=(
                (text("notice.channels"), channel_names(wording, campaign)),
                (text("notice.law"), text("notice.verified" if campaign.texts["verified"] else "notice.unverified",
                                          law=campaign.texts["law"])),
                (text("notice.quiet"), agent.settings.notice.quiet_hours or text("notice.none")),
                (text("notice.digest"), campaign.digest),
            )
        ),
        Heading(text=text("notice.sheet_sms")),
        *_sms(wording, sms),
    ]  # fmt: skip
    for language in ("zh-CN", "en"):
        own = texts[language]
        blocks += [Heading(text=text("notice.sheet_mail", language=language)), Paragraph(text=own["mail_subject"])]
        blocks += paragraphs(own["mail"].replace("{greeting}", text("notice.greeting_place")))
        blocks += [Heading(text=text("notice.sheet_phone", language=language)), *paragraphs(own["phone"])]
    return Document(
        language=text.language, title=text("notice.sheet_title"),
        subtitle=text(
            "notice.sheet_subtitle", id=campaign.incident, version=campaign.version, made=wording.moment(campaign.at)
        ),
        lead=text("notice.sheet_lead", id=campaign.incident), notices=(text("incident.assists"),), blocks=tuple(blocks),
        running=f"{agent.settings.store.name} · {campaign.name} · {version}",
    )  # fmt: skip


def public(agent: Agent, campaign: Campaign, wording: Wording, version: int) -> Document:
    """What is put up where persons cannot be reached."""
    own = campaign.texts["texts"][wording.text.language]
    return _letter(agent, campaign, wording, (own["public_title"], own["public"], "notice.public_note"), version)


def platform(agent: Agent, campaign: Campaign, wording: Wording, version: int) -> Document:
    """What a delivery platform is asked to tell its customers."""
    own = campaign.texts["texts"][wording.text.language]
    return _letter(agent, campaign, wording, (own["platform_title"], own["platform"], "notice.platform_note"), version)


def _letter(agent: Agent, campaign: Campaign, wording: Wording, words: tuple[str, str, str], version: int) -> Document:
    title, body, note = words
    text = wording.text
    return Document(
        language=text.language, title=title,
        subtitle=text("notice.letter_subtitle", store=agent.settings.store.name, made=wording.moment(campaign.at)),
        lead="", notices=(text(note), text("incident.assists")), blocks=tuple(paragraphs(body)),
        running=f"{agent.settings.store.name} · {campaign.name} · {version}",
    )  # fmt: skip


def call_list(agent: Agent, campaign: Campaign, people: Iterable[tuple[Listed, Skip]], wording: Wording) -> Document:
    """Whom to call: numbers in clear. Never written by `write_versions`."""
    text = wording.text
    rows = [
        (
            str(number), "\n".join(person.phones), person.name or "—", wording.types(person.types),
            text("notice.sensitive_mark") if person.sensitive else "", "",
        )
        for number, (person, _skip) in enumerate(people, 1)
    ]  # fmt: skip
    head = tuple(text(f"notice.call_{name}") for name in ("number", "phone", "name", "types", "sensitive", "result"))
    return Document(
        language=text.language, title=text("notice.call_title"),
        subtitle=text("notice.call_subtitle", id=campaign.incident, version=campaign.version, count=len(rows)),
        lead=text("notice.call_lead"), notices=(text("notice.call_secret"),),
        blocks=(
            Heading(text=text("notice.call_script")),
            *paragraphs(campaign.texts["texts"][text.language]["phone"]),
            Heading(text=text("notice.call_people")),
            Table(header=head, rows=tuple(rows), widths=(7, 18, 14, 27, 8, 26)),
        ),
        running=f"{agent.settings.store.name} · {campaign.name}",
    )  # fmt: skip


def count_rows(wording: Wording, counted: Counted) -> list[tuple[str, str]]:
    """A count in words, as facts."""
    text = wording.text
    rows = [
        (text(f"notice.count_{name}"), f"{getattr(counted, name):,}")
        for name in ("persons", "customers", "reachable", "sensitive", "staff", "suppliers", "virtual", "masked")
    ]
    if counted.unreadable:
        rows.append((text("notice.count_unreadable"), f"{counted.unreadable:,}"))
    separator = "、" if text.language == "zh-CN" else ", "
    ordered = sorted(counted.types.items(), key=lambda entry: (-entry[1], entry[0]))
    types = separator.join(f"{wording.types([entity])} {number:,}" for entity, number in ordered)
    return [*rows, (text("notice.count_types"), types or "—")]


def channel_names(wording: Wording, campaign: Campaign) -> str:
    """The channels in order."""
    names = [wording.text(f"notice.channel_{channel}") for channel in campaign.channels]
    return " → ".join(names) or wording.text("notice.no_channel_short")


def paragraphs(body: str) -> list[Block]:
    """A text as paragraphs; empty lines part them."""
    return [Paragraph(text=line.strip()) for line in body.splitlines() if line.strip()]


def _sms(wording: Wording, sms: Mapping[str, object] | None) -> list[Block]:
    text = wording.text
    if sms is None:
        return [Paragraph(text=text("notice.sms_none"))]
    parameters = sms["parameters"]
    assert isinstance(parameters, dict)  # noqa: S101  our own record
    return [
        Paragraph(text=str(sms["text"])),
        Facts(
            rows=(
                (text("notice.sms_template"), str(sms["template"])),
                (text("notice.sms_registered"), text(f"notice.sign_{sms['sign_registered']}")),
            )
        ),
        Bullets(items=tuple(f"{name} = {value}" for name, value in parameters.items())),
    ]
