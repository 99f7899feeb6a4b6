"""Every page for everybody: on a desk and a phone, in both languages, by axe's rules, without a complaint of the
browser, by keyboard, and on paper."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hq_shops import Chain
from page_ways import ways
from playwright.sync_api import Browser

from central.testing import OfficeProcess

pytestmark = pytest.mark.needs("chromium", "pdftotext")
PAGES = (
    "/", "/?urgency=needing&q=店", "/?q=nothing-like-this", "/stores/{burning}", "/stores/{alarmed}",
    "/stores/{faulty}", "/stores/{open}", "/stores/{silent}", "/stores/{open}/places", "/stores/{open}/alerts",
    "/stores/{open}/events", "/stores/{open}/charts/exposed", "/charts/levels", "/charts/exposed", "/drills",
    "/training", "/vendors", "/assessment", "/search", "/search?q=美团", "/search?q=店", "/nothing-here",
)  # fmt: skip


@pytest.mark.parametrize(("width", "language", "paths"), ways(PAGES))
def test_no_page_has_a_barrier(
    office: OfficeProcess, chain: Chain, screen: Any, width: int, language: str, paths: Sequence[str]
) -> None:
    screen.size(width)
    for path in paths:
        screen.go(path.format(**vars(chain)), language=language)
        assert screen.page.locator("h1, [role=alert]").count() > 0, path
        assert screen.barriers() == [], (path, width)
        assert screen.fits(), (path, width)
    missing = [text for text in screen.complaints if "404" not in text]
    assert missing == []


def test_the_keyboard_reaches_the_content_first_then_everything(chain: Chain, screen: Any) -> None:
    screen.go("/")
    page = screen.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0, "what has the focus is seen"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    seen = set()
    for _ in range(60):
        seen.add(page.evaluate("document.activeElement.getAttribute('href') || document.activeElement.name || ''"))
        page.keyboard.press("Tab")
    assert {f"/stores/{chain.burning}", "/?urgency=needing", "q", "urgency"} <= seen


def test_the_focus_is_seen(chain: Chain, screen: Any) -> None:
    screen.go("/")
    for _ in range(3):
        screen.page.keyboard.press("Tab")
    style = screen.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert style == "3px"


def test_dark_screens_have_no_barrier_either(chain: Chain, screen: Any) -> None:
    screen.page.emulate_media(color_scheme="dark")
    for path in ("/", f"/stores/{chain.burning}", f"/stores/{chain.open}", "/drills", "/search?q=店"):
        screen.go(path)
        assert screen.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(23, 21, 19)"
        assert screen.barriers() == [], path


def test_a_page_prints_without_what_paper_cannot_do(chain: Chain, screen: Any, tmp_path: Path) -> None:
    screen.go(f"/stores/{chain.burning}")
    file = tmp_path / "store.pdf"
    file.write_bytes(screen.page.pdf(format="A4"))
    words = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, check=True, text=True).stdout
    assert "哪里有顾客信息" in words
    assert "4,321" in words
    for absent in ("退出", "菜单", "上报或启动预案"):
        assert absent not in words


def test_a_page_works_without_scripts(
    chromium: Browser, office: OfficeProcess, cookies: httpx.Cookies, chain: Chain
) -> None:
    context = chromium.new_context(ignore_https_errors=True, java_script_enabled=False)
    try:
        context.add_cookies([
            {"name": name, "value": value, "url": office.url, "secure": True} for name, value in cookies.items()
        ])  # fmt: skip
        page = context.new_page()
        page.goto(f"{office.url}/stores/{chain.faulty}?lang=zh-CN")
        page.get_by_text("已查清，标记为处理完").first.click()
        box = page.locator("input[name=confirmed]").first
        assert box.is_visible(), "without a dialog the box is ticked by hand"
        page.locator("input[name=note]").first.fill("门店从备份恢复过")
        page.locator("form[action*=conflict] button").click()
        assert "没有做" in page.content()
        page.goto(f"{office.url}/stores/{chain.faulty}")
        assert page.locator("noscript a").is_visible()
    finally:
        context.close()
