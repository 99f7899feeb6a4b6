"""Secrets of senders: in a file of their own, in no repr, no error and no sample."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from config.errors import RefusedError, UsageError
from config.load import load_settings
from config.messaging import Robot, SendersSettings
from config.schema import Settings

SECRET = "KEY-OF-THE-GROUP"
URL = f"https://qyapi.example.com/cgi-bin/webhook/send?key={SECRET}"
FULL = f"""
[senders]
smtp_host = "mail.example.com"
smtp_password = "{SECRET}"
sms_headers = {{ Authorization = "{SECRET}" }}
robots = [{{ name = "应急群", kind = "wecom", url = "{URL}", secret = "{SECRET}" }}]
"""


def secrets_file(folder: Path, content: str, mode: int = 0o600) -> Path:
    file = folder / "secrets.toml"
    file.write_text(content)
    file.chmod(mode)
    return folder / "cloche.toml"


def test_secrets_beside_the_settings_are_put_into_them(tmp_path: Path) -> None:
    settings_file = secrets_file(tmp_path, FULL)
    settings_file.write_text('[senders]\nsmtp_port = 465\nsmtp_security = "tls"\n')
    senders = load_settings(settings_file, {}).senders
    assert (senders.smtp_port, senders.smtp_host) == (465, "mail.example.com")
    assert senders.robots[0].url.get_secret_value() == URL


def test_no_secret_is_in_a_repr_or_a_dump(tmp_path: Path) -> None:
    settings = load_settings(secrets_file(tmp_path, FULL), {})
    for text in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert SECRET not in text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_file_of_secrets_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(RefusedError, match="chmod 600"):
        load_settings(secrets_file(tmp_path, FULL, mode), {})


@pytest.mark.root
@pytest.mark.needs("root")
def test_an_account_that_may_not_read_the_secrets_still_has_the_settings(tmp_path: Path) -> None:
    settings_file = secrets_file(tmp_path, FULL)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-", "test_")):
            folder.chmod(0o755)
    settings_file.write_text('[store]\nname = "测试店"\n')
    settings_file.chmod(0o644)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        try:
            settings = load_settings(settings_file, {})
            os._exit(0 if settings.store.name == "测试店" and not settings.senders.any else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "content",
    [
        f'[senders]\nrobots = [{{ name = "群", kind = "wecom", url = "ftp://{SECRET}" }}]\n',
        f'[senders]\nrobots = [{{ name = "群", kind = "{SECRET}", url = "{URL}" }}]\n',
        f'[senders]\nsms_url = "http://sms.example.com/{SECRET}"\n',
        f'[senders]\nsms_url = "https://[{SECRET}"\n',
        f'[senders]\nsmtp_password = ["{SECRET}"]\n',
        f'[senders]\nsmtp_password = "{SECRET}\n',
        f'[senders]\nunknown = "{SECRET}"\n',
    ],
)
def test_no_error_quotes_a_secret(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(secrets_file(tmp_path, content), {})
    assert SECRET not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_secret_can_come_from_the_environment(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "absent.toml", {"CLOCHE_SENDERS__SMTP_PASSWORD": SECRET})
    assert settings.senders.smtp_password.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"senders": {"smtp_host": "mail.example.com", "smtp_security": "none"}}, "this machine"),
        ({"senders": {"robots": [{"name": "a", "kind": "webhook", "url": "https://a.example.com"}] * 2}}, "same name"),
        ({"senders": {"sms_success": "(a+)+"}}, "sms_success"),
        ({"senders": {"sms_sign_registered_on": "昨天"}}, "sms_sign_registered_on"),
        ({"page": {"listen": "0.0.0.0:80"}}, "1024"),
        ({"page": {"listen": "8080"}}, "HOST:PORT"),
        ({"page": {"url": "javascript:alert(1)"}}, "web address"),
    ],
)
def test_what_cannot_work_is_said_at_once(values: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Settings.model_validate(values)


def test_nothing_is_sent_anywhere_by_default() -> None:
    assert not SendersSettings().any
    assert Settings().page.listen == ""


def test_codes_are_no_purpose_of_a_group_by_default() -> None:
    robot = Robot.model_validate({"name": "a", "kind": "webhook", "url": "https://a.example.com"})
    assert not {"approval", "notice"} & set(robot.purposes)


def test_the_examples_of_the_page_about_messages_are_settings_that_work(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "messages.md").read_text(encoding="utf-8")
    main, secret = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "cloche.toml").write_text(main)
    settings = load_settings(secrets_file(tmp_path, secret), {})
    senders = settings.senders
    assert senders.mails
    assert senders.texts("staff")
    assert senders.texts("code")
    assert [robot.kind for robot in senders.robots] == ["wecom", "dingtalk"]
    assert senders.sms_sign_registered == "registered"
    assert settings.page.url == "http://192.168.1.10:8088"
