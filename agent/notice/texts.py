"""What customers are told: texts by law from a pack, filled from the incident, checked before anybody approves them.

The pack (`config/data/notice/`) names the law's parts and gives words for each; a text says nothing that the incident's
record does not hold. A text with a link in it is refused: swindlers send links, and a chain that sends one teaches its
customers to follow them. An SMS is the operator's approved template, and only its parameters are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from agent.incident.records import Incident
from agent.incident.wording import Wording
from config.errors import UsageError
from config.packs import read_pack
from config.text import FORMATTER, LANGUAGES, Language

if TYPE_CHECKING:
    from agent.notice.persons import Counted
    from agent.wiring import Agent

PACK: Final = "pipl-57.toml"
LINK: Final = re.compile(
    r"https?:|www\.|://|(?<![@\w.-])[a-z0-9-]{2,}(?:\.[a-z0-9-]+)*\.(?:cn|com|net|org|top|xyz|cc|vip|shop|site|io)\b",
    re.IGNORECASE,
)
PARAMETERS: Final = frozenset({
    "brand", "store", "types", "date", "cause", "harm", "remedies", "advice", "hotline",
})  # fmt: skip
"""What a template of the SMS operator may ask for."""
NAMED_TYPES: Final = 6


@dataclass(frozen=True, kw_only=True)
class Texts:
    """All texts of a campaign. `sms` is None where no template is approved; `parameters` are in its order."""

    law: str
    verified: bool
    sms: dict[str, Any] | None
    by_language: dict[Language, dict[str, str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON; what two people approve is the digest of it."""
        return {"law": self.law, "verified": self.verified, "sms": self.sms, "texts": self.by_language}


def fill(agent: Agent, incident: Incident, counted: Counted, wording: Mapping[Language, Wording]) -> Texts:
    """The texts of an incident in both languages.

    Raises:
        UsageError: a setting is missing that the law's third part needs, a template asks for what is not known, or a
            text would hold a link.
    """
    settings = agent.settings.notice
    if not settings.hotline:
        raise UsageError(agent.text("notice.no_hotline"))
    pack = read_pack("notice", PACK)
    texts: dict[Language, dict[str, str]] = {}
    for language in LANGUAGES:
        values = _values(agent, incident, counted, pack, wording[language])
        texts[language] = {
            "mail_subject": _say(pack["mail"]["subject"], language, values),
            "mail": _say(pack["mail"]["body"], language, {**values, "greeting": "{greeting}"}),
            "phone": _say(pack["phone"]["body"], language, values),
            "public_title": _say(pack["public"]["title"], language, values),
            "public": _say(pack["public"]["body"], language, values),
            "platform_title": _say(pack["platform"]["title"], language, values),
            "platform": _say(pack["platform"]["body"], language, {**values, "orders": f"{counted.virtual:,}"}),
        }
    sms = _sms(agent, _values(agent, incident, counted, pack, wording["zh-CN"]))
    found = Texts(law=pack["source"]["id"], verified=pack["source"]["verified"], sms=sms, by_language=texts)
    every = [text for kinds in texts.values() for text in kinds.values()]
    every += [sms["text"], *sms["parameters"].values()] if sms else []
    mailbox = settings.mailbox
    for text in every:
        if LINK.search(text.replace(mailbox, "") if mailbox else text):
            raise UsageError(agent.text("notice.has_link"))
    return found


def greeting(name: str, language: Language) -> str:
    """How a mail begins."""
    pack = read_pack("notice", PACK)["greeting"]
    return FORMATTER.vformat(pack["named" if name else "nobody"][language], (), {"name": name})


def _sms(agent: Agent, values: Mapping[str, str]) -> dict[str, Any] | None:
    template = agent.settings.senders.template("notice")
    if template is None:
        return None
    unknown = sorted(set(template.parameters) - PARAMETERS)
    if unknown:
        raise UsageError(agent.text("notice.unknown_parameter", names=", ".join(unknown), template=template.id))
    parameters = {name: shorten(values[name], template.longest) for name in template.parameters}
    if parameters.get("hotline", values["hotline"]) != values["hotline"]:
        raise UsageError(agent.text("notice.hotline_cut", longest=template.longest))
    text = template.text
    for name, value in parameters.items():
        text = text.replace("{" + name + "}", value)
    sign = agent.settings.senders.sms_sign
    return {
        "template": template.id, "parameters": parameters, "text": f"【{sign}】{text}" if sign else text,
        "sign_registered": agent.settings.senders.sms_sign_registered,
    }  # fmt: skip


def shorten(text: str, longest: int) -> str:
    """At most so many characters, cut after a whole word of a list where there is one."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    for end in "、；，":
        if end in cut:
            return cut[: cut.rindex(end)] + "等"
    return cut + "…"


def _values(
    agent: Agent, incident: Incident, counted: Counted, pack: Mapping[str, Any], wording: Wording
) -> dict[str, str]:
    language, settings = wording.text.language, agent.settings.notice
    fallback = {name: versions[language] for name, versions in pack["fallback"].items()}
    entities = sorted(counted.types, key=lambda entity: (-counted.types[entity], entity)) or list(incident.types)
    groups = [group for group in pack["groups"] if set(group["entities"]) & set(entities)]
    joined = fallback["sentences"]
    moment = incident.occurred_at or incident.discovered_at
    day = moment.astimezone(wording.zone)
    return {
        "brand": settings.brand or agent.settings.store.name,
        "store": agent.settings.store.name,
        "types": _types(entities, wording, fallback),
        "date": f"{day.year}年{day.month}月{day.day}日" if language == "zh-CN" else f"{day:%Y-%m-%d}",
        "cause": pack["cause"].get(incident.kind, pack["cause"]["other"])[language],
        "harm": joined.join(group["harm"][language] for group in groups) or fallback["harm"],
        "advice": joined.join(group["advice"][language] for group in groups) or fallback["advice"],
        "remedies": joined.join(_remedies(incident, pack, language)) or fallback["remedies"],
        "hotline": settings.hotline,
        "hours": _phrase(pack, "hours", language, settings.hotline_hours),
        "mailbox": _phrase(pack, "mailbox", language, settings.mailbox),
    }


def _types(entities: Iterable[str], wording: Wording, fallback: Mapping[str, str]) -> str:
    named = [wording.types([entity]) for entity in entities]
    return fallback["listing"].join(dict.fromkeys(named[:NAMED_TYPES])) or fallback["types"]


def _remedies(incident: Incident, pack: Mapping[str, Any], language: Language) -> list[str]:
    done = {step.act for step in incident.steps if step.ok}
    return [remedy["text"][language] for remedy in pack["remedies"] if done & set(remedy["acts"])]


def _phrase(pack: Mapping[str, Any], name: str, language: Language, value: str) -> str:
    return FORMATTER.vformat(pack["phrases"][name][language], (), {name: value}) if value else ""


def _say(versions: Mapping[str, str], language: Language, values: Mapping[str, str]) -> str:
    return FORMATTER.vformat(versions[language].strip(), (), values)
