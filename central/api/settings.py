"""Settings of what programs may ask, and of what head office tells by itself. Tables of `hq.toml`."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from config.section import Section

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class ApiSettings(Section):
    """What programs may ask."""

    requests_a_minute: int = Field(600, ge=1, le=1_000_000, description="How often one token may ask, each instance.")
    metrics_on_loopback: bool = Field(
        False, description="/metrics without a token from this machine itself; not behind a proxy on it."
    )


class HooksSettings(Section):
    """How webhooks reach their addresses."""

    private_addresses: bool = Field(
        False, description="Deliver to private, loopback and link-local addresses too: whoever may make a webhook may "
        "then have this machine ask others in its network."
    )  # fmt: skip
    ca_file: str = Field("", description="PEM file of one more authority to trust; empty: the machine's own only.")


class DigestSettings(Section):
    """The weekly two lines, and how they are sent."""

    day: Day = Field("monday", description="On which day.")
    hour: int = Field(9, ge=0, le=23, description="From which hour on, in head office's time zone.")
    smtp_host: str = Field("", max_length=253, description="Mail server; empty: no mail.")
    smtp_port: int = Field(587, ge=1, le=65_535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="Never a login in clear; `none` to this machine itself only."
    )
    smtp_user: str = Field("", max_length=200, description="Who logs in there; empty: nobody.")
    smtp_password_file: str = Field("", description="File (mode 600) whose first line is the password.")
    smtp_from: str = Field("", max_length=200, description="Sender's address.")
    smtp_ca_file: str = Field("", description="PEM file of the mail server's authority; empty: the machine's own.")
    robot_kind: Literal["", "wecom", "dingtalk", "feishu", "webhook"] = Field("", description="A group's robot.")
    robot_url_file: str = Field(
        "",
        description="File (mode 600): the robot's address in the first line, the secret that signs in the second.",
    )

    @field_validator("smtp_from")
    @classmethod
    def _mailbox(cls, value: str) -> str:
        """One mailbox.

        Raises:
            ValueError: it is none.
        """
        if value and ("@" not in value or any(letter in value for letter in "\r\n,;")):
            raise ValueError("one address is needed")
        return value

    @model_validator(mode="after")
    def _whole(self) -> DigestSettings:
        """What belongs together.

        Raises:
            ValueError: a server without a sender, clear text that leaves this machine, a robot without an address.
        """
        if self.smtp_host and not self.smtp_from:
            raise ValueError("smtp_host and smtp_from belong together")
        if self.smtp_host and self.smtp_security == "none" and self.smtp_host not in LOOPBACK:
            raise ValueError("smtp_security none is for this machine itself only")
        if bool(self.robot_kind) != bool(self.robot_url_file):
            raise ValueError("robot_kind and robot_url_file belong together")
        return self
