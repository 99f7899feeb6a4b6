"""Accounts and people in a real browser: the first login, proof before a dangerous act, no barriers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from accounts_desk import database
from sqlalchemy import update

from central.models import Login, Person
from central.moments import now
from central.testing import OfficeProcess, call_office, serve_office

pytestmark = pytest.mark.needs("chromium")
DESK, PHONE = 1280, 390


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    made = call_office(folder, "init", "--name", "测试总部")
    with serve_office(folder, made=made) as running:
        yield running


def fill(screen: Any, **fields: str) -> None:
    for name, value in fields.items():
        screen.page.fill(f"main [name={name}]", value)
    screen.page.click("main form button")


def test_the_first_login_leads_over_the_second_factor_to_the_pages(
    stranger: Any, office: OfficeProcess, tmp_path: Path
) -> None:
    stranger.size(PHONE)
    stranger.go("/own", language="en")
    assert stranger.barriers() == []
    fill(stranger, officer=office.officer, passphrase=office.passphrase)
    stranger.page.wait_for_url("**/own/second-factor")
    picture = stranger.page.locator("img.qr")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
    assert stranger.fits()
    assert stranger.barriers() == []
    (tmp_path / "second-factor.png").write_bytes(stranger.page.screenshot())
    secret = re.sub(r"\s", "", stranger.page.locator("main code").inner_text())
    fill(stranger, code=pyotp.TOTP(secret).now())
    assert stranger.page.locator(".codes li").count() == 10
    assert stranger.barriers() == []
    stranger.go("/people", language="en")
    stranger.size(DESK)
    stranger.page.fill("form[action='/people'][method=post] [name=name]", "测试甲 <i>")
    stranger.page.fill("form[action='/people'][method=post] [name=mobile]", "138 0000 0001")
    stranger.page.click("form[action='/people'][method=post] button")
    stranger.page.wait_for_url("**/people/p-*")
    assert stranger.page.locator("main i").count() == 0
    with database(office) as session:
        session.execute(update(Login).values(second_at=now() - timedelta(minutes=11)))
        session.execute(update(Person).values(totp_step=0))
    stranger.page.select_option("form[action$='/grant'] [name=role]", "legal")
    stranger.page.click("form[action$='/grant'] button")
    assert stranger.page.locator("[name=sealed]").count() == 1
    assert stranger.barriers() == []
    fill(stranger, code=pyotp.TOTP(secret).now())
    assert stranger.barriers() == []
    stranger.page.click("main form button.danger")
    stranger.page.wait_for_url("**/people/p-*")
    assert stranger.page.locator(".rows").first.locator("li").count() == 1
    assert [one for one in stranger.complaints if "403" not in one] == []
    with database(office) as session:
        session.execute(update(Person).values(totp=None))


@pytest.mark.parametrize("width", [pytest.param(DESK, marks=pytest.mark.slow), PHONE])
def test_the_pages_of_people_have_no_barriers_and_fit(
    screen: Any, office: OfficeProcess, tmp_path: Path, width: int
) -> None:
    screen.size(width)
    with database(office) as session:
        who = session.query(Person.id).filter(Person.login == office.officer).scalar()
    for path in (
        "/own",
        "/own/passphrase",
        "/people",
        f"/people/{who}",
        "/people/import",
        "/record",
        "/record/views",
        "/settings",
    ):
        for language in ("zh-CN", "en"):
            screen.go(path, language=language)
            assert screen.fits(), (path, width)
            assert screen.barriers() == [], (path, language)
        picture = tmp_path / f"{width}{path.replace('/', '-')}.png"
        picture.write_bytes(screen.page.screenshot(full_page=True))
    assert screen.complaints == []
