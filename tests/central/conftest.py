"""Head office as a real process, stores that speak to it, and a real browser with a check for accessibility."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from accounts_desk import Browser as Desk
from axe_playwright_python.sync_playwright import Axe
from databases import cluster, database_url  # noqa: F401  fixtures
from hq_founding import found
from hq_shops import Chain, open_chain
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from central.testing import OfficeProcess, SpeakingStore, serve_office

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--no-proxy-server",
)  # fmt: skip
DESK, PHONE = 1280, 390


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    with serve_office(folder, made=found(folder)) as running:
        yield running


@pytest.fixture
def client(office: OfficeProcess) -> Iterator[httpx.Client]:
    with office.client() as http:
        yield http


@pytest.fixture
def enrolled(office: OfficeProcess, client: httpx.Client) -> Iterator[Callable[[str], SpeakingStore]]:
    """A new store under a name."""
    stores: list[SpeakingStore] = []

    def enrol(name: str) -> SpeakingStore:
        store = SpeakingStore(client=client)
        stores.append(store)
        assert store.enrol(office.token(name)).status_code == 200
        return store

    yield enrol
    for store in stores:
        store.close()


@pytest.fixture(scope="module")
def chain(office: OfficeProcess) -> Chain:
    """Six stores that have told everything."""
    with office.client() as http:
        return open_chain(office, http)


@pytest.fixture(scope="module")
def cookies(office: OfficeProcess) -> httpx.Cookies:
    """Of a browser that is logged in as the first officer, second factor given."""
    with office.client() as http:
        desk = Desk(http=http, office=office)
        assert desk.log_in(office.officer, office.passphrase).status_code == 303
        desk.set_up()
        assert http.get("/own").status_code == 200
        return http.cookies


@pytest.fixture
def browser_page(client: httpx.Client, cookies: httpx.Cookies) -> httpx.Client:
    """The client, logged in."""
    client.cookies.update(cookies)
    return client


@dataclass(kw_only=True)
class Screen:
    """A page in a real browser, logged in; `complaints` are what its console and its policy said."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str, *, language: str = "zh-CN") -> None:
        """Open a page of head office."""
        mark = "&" if "?" in path else "?"
        self.page.goto(f"{self.url}{path}{mark}lang={language}")

    def size(self, width: int) -> None:
        """As wide as a desk's or a phone's screen."""
        self.page.set_viewport_size({"width": width, "height": 844})

    def fits(self) -> bool:
        """Nothing makes the page scroll sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))

    def barriers(self) -> list[str]:
        """What axe finds: rule, and the elements it finds it at."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}" for one in found]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's browser, driven by playwright."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def stranger(chromium: Browser, office: OfficeProcess) -> Iterator[Screen]:
    """A browser in which nobody is logged in."""
    yield from _screen(chromium.new_context(ignore_https_errors=True), office)


@pytest.fixture
def screen(chromium: Browser, office: OfficeProcess, cookies: httpx.Cookies) -> Iterator[Screen]:
    """A browser in which the first officer is logged in."""
    context = chromium.new_context(ignore_https_errors=True)
    context.add_cookies([_cookie(office, name, value) for name, value in cookies.items()])
    yield from _screen(context, office)


def _screen(context: BrowserContext, office: OfficeProcess) -> Iterator[Screen]:
    page = context.new_page()
    shown = Screen(page=page, url=office.url)

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            shown.complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    shown.size(DESK)
    try:
        yield shown
    finally:
        context.close()


def _cookie(office: OfficeProcess, name: str, value: str) -> Any:
    return {"name": name, "value": value, "url": office.url, "secure": True, "httpOnly": True, "sameSite": "Strict"}


def log_in(client: httpx.Client, officer: str, passphrase: str) -> httpx.Response:
    """Fill the login form in, hidden fields included."""
    form = client.get("/login").text
    token = form.split('name="form_token" value="')[1].split('"')[0]
    return client.post("/login", data={"officer": officer, "passphrase": passphrase, "form_token": token})


@pytest.fixture(name="log_in")
def give_log_in() -> Callable[[httpx.Client, str, str], httpx.Response]:
    return log_in
