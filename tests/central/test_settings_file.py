"""The settings file of head office: checked at once, overridden by the environment, sample and reference current."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from central.settings import OfficeSettings, leaves, load_office_settings, sample_office_settings, settings_reference
from config.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def write(folder: Path, text: str) -> Path:
    (folder / "hq.toml").write_text(text, encoding="utf-8")
    return folder


def test_no_file_means_defaults(tmp_path: Path) -> None:
    settings = load_office_settings(tmp_path, {})
    assert settings.login.idle_minutes == 30
    assert settings.login.oidc.issuer == ""


def test_all_errors_are_named_at_once_with_their_paths(tmp_path: Path) -> None:
    folder = write(tmp_path, '[login]\nidle_minutes = 1\nnonsense = 2\n[login.oidc]\nissuer = "ftp://x"\n[other]\n')
    with pytest.raises(UsageError) as caught:
        load_office_settings(folder, {"CLOCHEHQ_LOGIN__LONGEST_HOURS": "many", "CLOCHEHQ_NONSENSE": "1"})
    for words in (
        "login.idle_minutes", "login.nonsense: unknown key", "login.oidc.issuer", "other: unknown key",
        "CLOCHEHQ_LOGIN__LONGEST_HOURS: login.longest_hours", "CLOCHEHQ_NONSENSE: unknown key",
    ):  # fmt: skip
        assert words in str(caught.value)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    folder = write(tmp_path, '[login]\nidle_minutes = 45\n[login.oidc]\nissuer = "https://a.cn"\nclient_id = "x"')
    environment = {
        "CLOCHEHQ_LOGIN__IDLE_MINUTES": "15", "CLOCHEHQ_LOGIN__OIDC__ISSUER": "https://id.example/",
        "CLOCHEHQ_LOGIN__OIDC__SECOND_FACTOR": "true", "CLOCHEHQ_HOME": "/elsewhere", "CLOCHEHQ_DATABASE": "x",
    }  # fmt: skip
    settings = load_office_settings(folder, environment)
    assert settings.login.idle_minutes == 15
    assert (settings.login.oidc.issuer, settings.login.oidc.second_factor) == ("https://id.example", True)


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "https://u:p@id.example", "https://id.example/?a=b", "id.example"]
)
def test_a_provider_is_spoken_to_over_tls_alone(tmp_path: Path, issuer: str) -> None:
    with pytest.raises(UsageError, match="issuer"):
        load_office_settings(write(tmp_path, f'[login.oidc]\nissuer = "{issuer}"\nclient_id = "x"\n'), {})


def test_an_issuer_without_a_client_is_half_a_provider(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="belong together"):
        load_office_settings(write(tmp_path, '[login.oidc]\nissuer = "https://id.example"\n'), {})


def test_broken_toml_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"hq\.toml.*not valid TOML"):
        load_office_settings(write(tmp_path, "[login\n"), {})


def test_the_sample_and_the_reference_are_those_of_the_schema(tmp_path: Path) -> None:
    assert (ROOT / "central/hq.example.toml").read_text(encoding="utf-8") == sample_office_settings()
    assert (ROOT / "docs/hq-settings.md").read_text(encoding="utf-8") == settings_reference()
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line else line for line in sample_office_settings().splitlines()
    )
    assert load_office_settings(write(tmp_path, uncommented), {}) == OfficeSettings()
    assert tomllib.loads(uncommented)["login"]["idle_minutes"] == 30
    assert all(field.description for _path, field in leaves(OfficeSettings))
