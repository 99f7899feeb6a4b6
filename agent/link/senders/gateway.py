"""SMS gateways and the CRM's webhook: any that take one web request a message, described in the settings.

An answer of success is what the settings' pattern says; without a pattern HTTP 2xx is enough, and a JSON answer whose
`code`, `errcode` or `success` says otherwise is a failure all the same: many gateways answer 200 with an error inside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from agent.link.senders.outcome import Outcome, failed
from agent.link.senders.web import JSON, Said, as_json, request
from config.messaging import SendersSettings, SmsTemplate

PHONE: Final = re.compile(r"\+?[0-9]{5,15}")
GOOD: Final = frozenset({"0", "00", "000000", "200", "ok", "success", "true", "none", ""})


class Sms:
    """One SMS by an approved template."""

    def __init__(self, settings: SendersSettings) -> None:
        self._settings = settings

    def send(self, letter: dict[str, Any]) -> Outcome:
        """One SMS to one mobile."""
        settings = self._settings
        url = settings.sms_url.get_secret_value()
        template = settings.template(letter.get("use", "notice"))
        if not url or template is None:
            return failed("not_configured")
        phone = re.sub(r"[ \-()]", "", str(letter["to"]))
        if not PHONE.fullmatch(phone):
            return failed("recipient")
        parameters = fill(template, letter["parameters"])
        values: dict[str, Any] = {
            "phone": phone, "template": template.id, "sign": settings.sms_sign, "account": settings.sms_account,
            "secret": settings.sms_secret.get_secret_value(), "id": letter["id"], "parameters": parameters,
            "values": list(parameters.values()),
        }  # fmt: skip
        headers = {name: value.get_secret_value() for name, value in settings.sms_headers.items()}
        body = rendered(settings.sms_body, values)
        if settings.sms_method == "GET":
            said = request("GET", with_query(url, body), headers=headers)
        elif settings.sms_form == "form":
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            said = request("POST", url, content=urlencode(flat(body)).encode(), headers=kind | headers)
        else:
            said = request("POST", url, content=as_json(body), headers=JSON | headers)
        if isinstance(said, Outcome):
            return said
        return judge(said, settings.sms_success, settings.sms_receipt)


class SmsStatus:
    """What became of an SMS that the gateway took."""

    def __init__(self, settings: SendersSettings) -> None:
        self._settings = settings

    def send(self, letter: dict[str, Any]) -> Outcome:
        """Ask once. No clear answer is no news."""
        settings = self._settings
        url = settings.sms_status_url.get_secret_value().replace("{receipt}", quote(str(letter["receipt"]), safe=""))
        if not url:
            return Outcome(ending="pending")
        headers = {name: value.get_secret_value() for name, value in settings.sms_headers.items()}
        said = request("GET", url, headers=headers)
        if isinstance(said, Outcome):
            return Outcome(ending="pending")
        if settings.sms_failed and re.search(settings.sms_failed, said.text):
            return failed("not_delivered", code_in(said))
        if settings.sms_delivered and re.search(settings.sms_delivered, said.text):
            return Outcome(ending="delivered")
        return Outcome(ending="pending")


class Crm:
    """A notice by the official account or CRM."""

    def __init__(self, settings: SendersSettings) -> None:
        self._settings = settings

    def send(self, letter: dict[str, Any]) -> Outcome:
        """One customer."""
        settings = self._settings
        url = settings.crm_url.get_secret_value()
        if not url:
            return failed("not_configured")
        values = {name: str(letter.get(name, "")) for name in ("to", "subject", "text", "id")}
        headers = {name: value.get_secret_value() for name, value in settings.crm_headers.items()}
        said = request("POST", url, content=as_json(rendered(settings.crm_body, values)), headers=JSON | headers)
        return said if isinstance(said, Outcome) else judge(said, settings.crm_success, "")


def fill(template: SmsTemplate, given: Mapping[str, Any]) -> dict[str, str]:
    """The template's parameters in its order; a longer one is cut with an ellipsis. Line breaks are blanks."""
    found = {}
    for name in template.parameters:
        words = " ".join(str(given.get(name, "")).split())
        found[name] = words if len(words) <= template.longest else words[: template.longest - 1] + "…"
    return found


def rendered(template: Any, values: Mapping[str, Any]) -> Any:
    """The settings' fields with their placeholders filled. What is filled in is never looked at for placeholders."""
    if isinstance(template, dict):
        return {name: rendered(inner, values) for name, inner in template.items()}
    if isinstance(template, list):
        return [rendered(inner, values) for inner in template]
    if not isinstance(template, str):
        return template
    whole = re.fullmatch(r"\{(parameters|values)\}", template)
    if whole:
        return values.get(whole[1], "")
    return re.sub(r"\{([a-z]+)\}", lambda found: _text(values.get(found[1], found[0])), template)


def flat(body: Any) -> dict[str, str]:
    """For a form: what is nested travels as JSON text."""
    return {name: _text(value) for name, value in dict(body).items()}


def with_query(url: str, body: Any) -> str:
    """The fields behind the address."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(flat(body))) if part)
    return urlunsplit(parts._replace(query=query))


def judge(said: Said, success: str, receipt: str) -> Outcome:
    """Whether an answer with status 2xx means success."""
    text = said.text
    if success:
        if not re.search(success, text):
            return failed("refused" if said.document is not None else "bad_answer", code_in(said))
    else:
        document = said.document
        if document is None and not text.strip().lower().startswith(("ok", "success", "0")) and text.strip():
            return failed("bad_answer")
        for name in ("code", "errcode", "Code", "status", "success", "result"):
            value = (document or {}).get(name)
            if value is not None and not isinstance(value, (dict, list)) and str(value).lower() not in GOOD:
                return failed("refused", str(value))
    found = re.search(receipt, text) if receipt else None
    return Outcome(ending="accepted", receipt=(found[1] if found and found.groups() and found[1] else "")[:120])


def code_in(said: Said) -> str:
    """The error code in an answer, if it has one."""
    for name in ("code", "Code", "errcode", "status", "error"):
        value = (said.document or {}).get(name)
        if isinstance(value, (str, int)):
            return str(value)
    return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value).decode()
