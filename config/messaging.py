"""Settings of what goes out to people and of the page that takes their reports.

Addresses of robots and gateways are secrets like passwords: whoever has one can speak in the chain's name. They are
`SecretStr` (no repr, no dump) and belong into `secrets.toml` beside the settings (mode 600), see `config.load`. The
daemon hands them to the link sealed; the link keeps them in memory.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from config.patterns import check_pattern
from config.section import Section

Purpose = Literal["report", "order", "reminder", "escalation", "approval", "notice", "training", "vendor", "test"]
RobotKind = Literal["wecom", "dingtalk", "feishu", "webhook"]
TemplateUse = Literal["staff", "code", "notice"]
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
LOWEST_PORT: Final = 1024


def secret_url(value: SecretStr) -> SecretStr:
    """An https address, or none; http only to this machine itself. The message never quotes it.

    Raises:
        ValueError: it is something else.
    """
    address = value.get_secret_value()
    if address:
        web_address(address)
    return value


def web_address(address: str) -> str:
    """An https address, or none; http only to this machine itself.

    Raises:
        ValueError: it is something else. The address is not quoted.
    """
    if not address:
        return address
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("is no web address") from error
    if not host or parts.scheme not in ("http", "https") or any(ord(letter) <= 0x20 for letter in address):
        raise ValueError("is no web address")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ValueError("must begin with https://")
    return address


def public_address(address: str) -> str:
    """Where phones reach the page. Plain http is taken here: a shop's own network has no certificate.

    Raises:
        ValueError: it is no web address.
    """
    if address and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]{1,200}(/[A-Za-z0-9._~/-]*)?", address):
        raise ValueError("is no web address")
    return address.rstrip("/")


def listening(address: str) -> str:
    """HOST:PORT with a port that an unprivileged process may take; [HOST]:PORT for IPv6.

    Raises:
        ValueError: it is something else.
    """
    if not address:
        return address
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(\d{1,5})", address)
    if not found or not (LOWEST_PORT <= int(found[2]) <= 65535 or int(found[2]) == 0):
        raise ValueError(f"must be HOST:PORT with a port from {LOWEST_PORT} to 65535")
    return address


def maybe_pattern(pattern: str) -> str:
    """A safe regular expression, or none."""
    return check_pattern(pattern) if pattern else ""


SecretUrl = Annotated[SecretStr, AfterValidator(secret_url)]
MaybePattern = Annotated[str, AfterValidator(maybe_pattern)]
MaybeDay = Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]
NOTHING: Final = SecretStr("")


class SmsTemplate(Section):
    """A text that the SMS operator approved. `text` is its wording with `{parameter}` where a parameter goes."""

    id: str = Field(description="The operator's id of the template.")
    use: TemplateUse = Field(description="staff: orders and reminders; code: one-time codes; notice: customers.")
    parameters: tuple[str, ...] = Field((), description="Names of its parameters in order.")
    text: str = Field("", description="The approved wording with {parameter} in it.")
    longest: int = Field(35, ge=1, le=500, description="Longest parameter in characters; what is longer is cut.")


class Robot(Section):
    """A group's robot."""

    name: str = Field(description="Which group it is, as people say it.")
    kind: RobotKind = Field(description="wecom, dingtalk, feishu or webhook.")
    url: SecretUrl = Field(description="Its address: a secret.")
    secret: SecretStr = Field(NOTHING, description="Secret that signs (DingTalk, Feishu).")
    purposes: tuple[Purpose, ...] = Field(
        ("report", "order", "reminder", "escalation", "test"), description="What it is told. Codes never go to a group."
    )


class SendersSettings(Section):
    """How people are reached. Passwords and robots belong into secrets.toml beside this file (mode 600)."""

    mode: Literal["send", "record"] = Field("send", description="`record` sends nothing and keeps what it would send.")
    retry_seconds: float = Field(30.0, gt=0, description="First pause after a failed try; doubled, with jitter.")
    max_retry_seconds: float = Field(1800.0, gt=0, description="Longest pause.")
    give_up_hours: float = Field(24.0, gt=0, description="A message older than this is given up and said so.")
    notice_per_minute: int = Field(60, ge=1, le=6000, description="Messages to customers a minute at most.")
    smtp_host: str = Field("", description="Mail server.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port: 587 with starttls, 465 with tls.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`none` only to this machine itself."
    )
    smtp_user: str = Field("", description="Account at the mail server.")
    smtp_password: SecretStr = Field(NOTHING, description="Its password.")
    smtp_from: str = Field("", description="Mailbox that mails come from.")
    sms_url: SecretUrl = Field(NOTHING, description="Address of the SMS gateway.")
    sms_method: Literal["POST", "GET"] = Field("POST", description="How it is asked.")
    sms_form: Literal["json", "form"] = Field("json", description="How the fields travel with POST.")
    sms_body: dict[str, Any] = Field(
        {"phone": "{phone}", "template": "{template}", "parameters": "{parameters}", "sign": "{sign}"},
        description="Fields of the request. {phone} {template} {sign} {account} {secret} {id} stand for text; a value "
        "that is just {parameters} becomes an object of them, just {values} a list.",
    )
    sms_headers: dict[str, SecretStr] = Field({}, description="Further headers, such as Authorization.")
    sms_account: str = Field("", description="Account at the gateway, for {account}.")
    sms_secret: SecretStr = Field(NOTHING, description="Its key, for {secret}.")
    sms_success: MaybePattern = Field(
        "", description="Regular expression that an answer of success has. Empty: HTTP 2xx is enough."
    )
    sms_receipt: MaybePattern = Field("", description="Regular expression whose first group is the gateway's receipt.")
    sms_status_url: SecretUrl = Field(NOTHING, description="Where a receipt is asked after: GET with {receipt} in it.")
    sms_delivered: MaybePattern = Field("", description="Regular expression of an answer that says: delivered.")
    sms_failed: MaybePattern = Field("", description="Regular expression of an answer that says: not delivered.")
    sms_sign: str = Field("", description="Signature that every SMS begins with, as registered.")
    sms_sign_registered: Literal["unknown", "pending", "registered", "refused"] = Field(
        "unknown", description="Status of the signature's registration with the operators (实名报备)."
    )
    sms_sign_registered_on: MaybeDay = Field("", description="Since when: YYYY-MM-DD.")
    sms_templates: tuple[SmsTemplate, ...] = Field(
        (), description="Approved templates, a table each: id, use (staff, code, notice), parameters, text, longest."
    )
    robots: tuple[Robot, ...] = Field(
        (), description="Robots of groups, a table each: name, kind (wecom, dingtalk, feishu, webhook), url, secret, "
        "purposes.",
    )  # fmt: skip
    crm_url: SecretUrl = Field(NOTHING, description="Webhook of the official account or CRM, for customers' notices.")
    crm_body: dict[str, Any] = Field(
        {"to": "{to}", "subject": "{subject}", "text": "{text}", "id": "{id}"}, description="Fields of its request."
    )
    crm_headers: dict[str, SecretStr] = Field({}, description="Further headers, such as Authorization.")
    crm_success: MaybePattern = Field("", description="Regular expression that an answer of success has.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Mail without TLS stays on this machine, and a robot is known by its name.

        Raises:
            ValueError: it does not.
        """
        if self.smtp_host and self.smtp_security == "none" and self.smtp_host not in LOOPBACK:
            raise ValueError("smtp_security: none is for a mail server on this machine itself")
        names = [robot.name for robot in self.robots]
        if len(set(names)) < len(names):
            raise ValueError("robots: two have the same name")
        return self

    def template(self, use: TemplateUse) -> SmsTemplate | None:
        """The first approved template for this use."""
        return next((template for template in self.sms_templates if template.use == use), None)

    @property
    def mails(self) -> bool:
        """Mail can be sent."""
        return bool(self.smtp_host and self.smtp_from)

    def texts(self, use: TemplateUse) -> bool:
        """SMS can be sent for this use: a gateway and an approved template."""
        return bool(self.sms_url.get_secret_value()) and self.template(use) is not None

    @property
    def any(self) -> bool:
        """Something is configured."""
        return bool(self.mails or self.sms_url.get_secret_value() or self.robots or self.crm_url.get_secret_value())


class PageSettings(Section):
    """The page that takes reports without login. Off unless it listens somewhere."""

    listen: Annotated[str, AfterValidator(listening)] = Field(
        "", description="HOST:PORT that the link serves the page on; empty: no page."
    )
    url: Annotated[str, AfterValidator(public_address)] = Field(
        "", description="Address that phones reach it at; printed as QR code."
    )
    certificate: str = Field("", description="PEM chain for https, readable by the account cloche-link.")
    private_key: str = Field("", description="PEM key for https, readable by the account cloche-link.")
    per_address: int = Field(10, ge=1, description="Reports that one address may send in an hour.")
    per_hour: int = Field(60, ge=1, le=600, description="Reports taken from all together in an hour.")
    emergency_phone: str = Field(
        "", description="Number to call, shown on the page: the chain's own, never a person's."
    )
