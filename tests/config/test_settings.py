"""Settings: one schema, all errors at once, and a sample file that stays true."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from config.errors import RefusedError, UsageError
from config.load import load_settings
from config.sample import sample_settings
from config.schema import Settings

CHECKOUT = Path(__file__).resolve().parents[2]


def test_no_file_means_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "absent.toml", {}) == Settings()


def test_the_default_is_to_observe_and_to_alert() -> None:
    assert Settings().protect.mode == "observe"
    assert Settings().watch.response == "alert"


def test_every_error_is_named_at_once_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "cloche.toml"
    file.write_text('[scan]\nworkers = 0\nwrokers = 3\n[watch]\nresponse = "shout"\n[nonsense]\n')
    with pytest.raises(UsageError) as caught:
        load_settings(file, {})
    message = str(caught.value)
    for part in (str(file), "scan.workers", "scan.wrokers: unknown key", "watch.response", "nonsense: unknown key"):
        assert part in message
    assert caught.value.exit_code == 2


def test_broken_toml_names_the_file_and_the_line(tmp_path: Path) -> None:
    file = tmp_path / "cloche.toml"
    file.write_text("[scan]\nroots = nope\n")
    with pytest.raises(UsageError, match=r"cloche\.toml: not valid TOML.*line"):
        load_settings(file, {})


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be read"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("CLOCHE_SCAN__WORKERS", "3", ("scan", "workers"), 3),
        ("CLOCHE_SCAN__ROOTS", '["/srv/a", "/srv/b"]', ("scan", "roots"), ("/srv/a", "/srv/b")),
        ("CLOCHE_PROTECT__MODE", "protect", ("protect", "mode"), "protect"),
        ("CLOCHE_WATCH__WINDOW_SECONDS", "12.5", ("watch", "window_seconds"), 12.5),
        ("CLOCHE_SCAN__NAMES", "false", ("scan", "names"), False),
    ],
)
def test_every_key_can_come_from_the_environment(
    tmp_path: Path, name: str, value: str, path: tuple[str, str], expected: object
) -> None:
    file = tmp_path / "cloche.toml"
    file.write_text("[scan]\nworkers = 7\n")
    settings = load_settings(file, {name: value})
    assert getattr(getattr(settings, path[0]), path[1]) == expected


@pytest.mark.parametrize("name", ["CLOCHE_SCAN__WROKERS", "CLOCHE_NONSENSE__KEY", "CLOCHE_NONSENSE"])
def test_an_unknown_variable_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"unknown key|CLOCHE_NONSENSE"):
        load_settings(tmp_path / "absent.toml", {name: "1"})


def test_broken_json_in_a_variable_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="CLOCHE_SCAN__ROOTS: not valid JSON"):
        load_settings(tmp_path / "absent.toml", {"CLOCHE_SCAN__ROOTS": '["/srv'})


def test_home_and_key_file_are_no_settings(tmp_path: Path) -> None:
    load_settings(tmp_path / "absent.toml", {"CLOCHE_HOME": "/x", "CLOCHE_KEY_FILE": "/y"})


def test_the_sample_names_every_key_and_is_the_default_when_uncommented(tmp_path: Path) -> None:
    text = sample_settings()
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line or line.startswith("# [[") else line for line in text.splitlines()
    )
    values = tomllib.loads(uncommented)
    tables = [values.pop("people"), values.pop("entities")]
    assert all(len(table) == 1 for table in tables)
    assert Settings.model_validate(values) == Settings()
    for section, field in Settings.model_fields.items():
        if section not in ("people", "entities"):
            assert set(values[section]) == set(field.annotation.model_fields)  # type: ignore[union-attr]


def test_the_shipped_sample_is_the_generated_one() -> None:
    shipped = (CHECKOUT / "config" / "example.toml").read_text(encoding="utf-8")
    assert shipped == sample_settings(), "run: python -m config.sample > config/example.toml"


def test_the_sample_takes_roots_and_a_name(tmp_path: Path) -> None:
    file = tmp_path / "cloche.toml"
    file.write_text(sample_settings(roots=["/srv/测试 店"], store_name='测试"店'))
    settings = load_settings(file, {})
    assert settings.scan.roots == ("/srv/测试 店",)
    assert settings.store.name == '测试"店'
