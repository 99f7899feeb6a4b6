"""The settings of head office: `hq.toml` in its folder, then environment, checked at once with every error named.

What several instances must share (name, time zone, policies) is in the database and on the settings page; here is what
a machine needs before it can open that: how people log in elsewhere, how long a login lasts. Keys of the environment
are `CLOCHEHQ_SECTION__KEY`, with one more part for a table in a table: `CLOCHEHQ_LOGIN__OIDC__ISSUER`.
`python -m central.settings` prints the sample; a test holds `central/hq.example.toml` and `docs/hq-settings.md` to it.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from central.api.settings import ApiSettings, DigestSettings, HooksSettings
from config.errors import RefusedError, UsageError
from config.section import Section

FILE: Final = "hq.toml"
PREFIX: Final = "CLOCHEHQ_"
OTHERS: Final = frozenset({"HOME", "DATABASE", "HOST", "PORT", "POOL"})
"""Variables that are no settings: where the folder and the database are, where to listen."""


def _secure(url: str) -> str:
    """An https URL, or http to this machine, without user, query or fragment.

    Raises:
        ValueError: it is neither.
    """
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if url and not ((parts.scheme == "https" and parts.hostname) or local):
        raise ValueError("an https:// address is needed")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("an address without user, query or fragment is needed")
    return url.rstrip("/")


SecureUrl = Annotated[str, AfterValidator(_secure)]


class OidcSettings(Section):
    """The chain's own identity provider (OpenID Connect). Empty: people log in with passphrases alone."""

    issuer: SecureUrl = Field("", description="Its issuer, as in its discovery document.")
    client_id: str = Field("", max_length=200, description="What it calls head office.")
    client_secret_file: str = Field(
        "", description="File (mode 600) whose first line is the client's secret; empty for a public client with PKCE."
    )
    claim: str = Field(
        "sub", pattern=r"^[A-Za-z0-9_:./-]{1,60}$",
        description="Claim that names a person for good. `sub`, unless the provider makes a new one for each client.",
    )  # fmt: skip
    label: str = Field("", max_length=40, description="What the button on the login page calls it; empty: its host.")
    second_factor: bool = Field(
        False, description="The provider asks for a second factor itself, at each login: none is asked for here."
    )
    ca_file: str = Field(
        "", description="PEM file of the authority that its certificate is checked by; empty: the system's."
    )

    @model_validator(mode="after")
    def _whole(self) -> OidcSettings:
        """Both or neither.

        Raises:
            ValueError: an issuer without a client, or a client without an issuer.
        """
        if bool(self.issuer) != bool(self.client_id):
            raise ValueError("issuer and client_id belong together")
        return self


class LoginSettings(Section):
    """How people log in."""

    idle_minutes: int = Field(30, ge=5, le=480, description="A login that is not used ends after so many minutes.")
    longest_hours: int = Field(12, ge=1, le=24, description="Any login ends after so many hours.")
    oidc: OidcSettings = OidcSettings()


class OfficeSettings(Section):
    """All settings of head office. Also as environment: `CLOCHEHQ_SECTION__KEY`."""

    login: LoginSettings = LoginSettings()
    api: ApiSettings = ApiSettings()
    hooks: HooksSettings = HooksSettings()
    digest: DigestSettings = DigestSettings()


def load_office_settings(folder: Path, environment: Mapping[str, str] | None = None) -> OfficeSettings:
    """The checked settings of the head office in `folder`; no file means defaults.

    Raises:
        UsageError: broken TOML, an unknown key or a wrong value; all of them in one message, each with its path.
        RefusedError: the file exists and cannot be read.
    """
    file = folder / FILE
    values = _read(file)
    named, problems = _overlay(values, os.environ if environment is None else environment)
    try:
        settings = OfficeSettings.model_validate(values)
    except ValidationError as error:
        for fault in error.errors():
            where = ".".join(str(part) for part in fault["loc"])
            known = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
            problems.append(f"{named.get(where, file)}: {where}: {known}")
        raise UsageError("; ".join(problems)) from error
    if problems:
        raise UsageError("; ".join(problems))
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: not valid TOML: {error}") from error
    except OSError as error:
        raise RefusedError(f"{file}: cannot be read: {error.strerror}") from error


def _overlay(values: dict[str, Any], environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Put variables over the file's values; which variable gave which key, and those that fit none."""
    keys = {"__".join(path).upper(): path for path, _field in leaves(OfficeSettings)}
    named: dict[str, str] = {}
    problems: list[str] = []
    for name, raw in environment.items():
        short = name.removeprefix(PREFIX)
        if not name.startswith(PREFIX) or short in OTHERS:
            continue
        path = keys.get(short)
        if path is None:
            problems.append(f"{name}: unknown key")
            continue
        table = values
        for part in path[:-1]:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                break  # the file has something else there, which the schema names
            table = inner
        else:
            table[path[-1]] = raw
            named[".".join(path)] = name
    return named, problems


def leaves(kind: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All keys of the schema with their fields, by path."""
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, (*above, name))
        else:
            yield (*above, name), field


def sample_office_settings() -> str:
    """`hq.toml` with every key commented at its default."""
    lines = ["# Settings of head office. Commented keys show their defaults; unknown keys are refused."]
    for path, kind in _tables(OfficeSettings):
        lines += ["", f"# {_about(kind)}", f"[{'.'.join(path)}]"]
        for name, field in kind.model_fields.items():
            if not _is_table(field.annotation):
                lines += [f"# {field.description}", f"# {name} = {json.dumps(field.default, ensure_ascii=False)}"]
    return "\n".join(lines) + "\n"


def settings_reference() -> str:
    """The reference page, in Markdown."""
    lines = [
        "# Settings of head office",
        "",
        "`hq.toml` in head office's folder. Every key is also a variable of the environment, which wins.",
        "Unknown keys are refused; all errors are named at once. Name, time zone and policies, which all instances",
        "share, are on the settings page.",
    ]
    for path, kind in _tables(OfficeSettings):
        lines += [
            "",
            f"## `[{'.'.join(path)}]`",
            "",
            _about(kind),
            "",
            "| key | default | variable | meaning |",
            "|---|---|---|---|",
        ]
        for name, field in kind.model_fields.items():
            if not _is_table(field.annotation):
                variable = PREFIX + "__".join((*path, name)).upper()
                default = json.dumps(field.default, ensure_ascii=False)
                lines.append(f"| `{name}` | `{default}` | `{variable}` | {field.description} |")
    return "\n".join(lines) + "\n"


def _tables(kind: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield (*above, name), inner
            yield from _tables(inner, (*above, name))


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _about(kind: type[BaseModel]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    sys.stdout.write(settings_reference() if "--reference" in sys.argv else sample_office_settings())
