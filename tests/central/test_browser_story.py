"""From an empty head office to a closed incident, by hand in a real browser, with a real store on a real folder.

A person adds a store and enrols it with the token on the page, looks at what lies there, declares; the store's disk is
contained; two officers sign the release in their browsers; an order is given, a submission recorded, the lawyer
approves the final report; the incident is brought to its end; and the manager reports from a phone.
Screenshots go to the folder that STORY_SCREENS names (a name with CLOCHE_ would be a setting), else to a temporary one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
import pytest
from axe_playwright_python.sync_playwright import Axe
from hq_founding import found
from playwright.sync_api import Browser, ConsoleMessage, Page
from playwright.sync_api import TimeoutError as NeverCame

from central.testing import OfficeProcess, serve_office

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]
CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")
QUICK = {"CLOCHE_LINK__RETRY_SECONDS": "0.3", "CLOCHE_LINK__MAX_RETRY_SECONDS": "1"}
PASSPHRASE = "a long phrase of the story's own"
STORE = "故事店（测试）"


class RealStore:
    """A store server in a folder: its files, and its daemon and link as processes."""

    def __init__(self, folder: Path) -> None:
        self.home, self.files = folder / "home", folder / "srv"
        self.home.mkdir(parents=True)
        self.files.mkdir()
        for number in range(3):
            (self.files / f"会员导出{number}.csv").write_text(
                "姓名,电话\n" + "".join(f"测试甲,138{number:04d}{row:04d}\n" for row in range(40))
            )
        settings = f'[scan]\nroots = ["{self.files}"]\nnames = false\n[store]\nname = "{STORE}"\nprovince = "上海市"\n'
        (self.home / "cloche.toml").write_text(settings)
        self._processes: list[subprocess.Popen[bytes]] = []

    def call(self, *arguments: str, codes: tuple[int, ...] = (0, 3)) -> dict[str, Any]:
        """The document of a command."""
        done = subprocess.run(
            [*CLOCHE, *arguments, "--home", str(self.home), "--json"], capture_output=True, text=True, check=False,
            env=os.environ | QUICK, timeout=120,
        )  # fmt: skip
        assert done.returncode in codes, done.stderr
        return dict(json.loads(done.stdout or "{}"))

    def start(self) -> None:
        """Daemon and link."""
        for command in ([*CLOCHE, "daemon"], [*LINK]):
            self._processes.append(
                subprocess.Popen(
                    [*command, "--home", str(self.home)], stderr=subprocess.DEVNULL, env=os.environ | QUICK
                )
            )

    def end(self) -> None:
        """Both stop."""
        for process in self._processes:
            process.terminate()
            process.wait(timeout=30)

    @property
    def readable(self) -> list[str]:
        """Customer files that lie open."""
        return sorted(path.name for path in self.files.glob("*.csv"))


@dataclass(kw_only=True)
class Hand:
    """Somebody at a browser."""

    page: Page
    url: str
    pictures: Path
    name: str
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str, language: str = "") -> None:
        """Open a page."""
        self.page.goto(f"{self.url}{path}{('?', '&')['?' in path]}lang={language}" if language else self.url + path)

    def send(self, button: str) -> None:
        """Press a button of a form, and say yes in the dialog."""
        self.page.get_by_role("button", name=button, exact=True).first.click()
        dialog = self.page.locator("dialog[open]")
        dialog.wait_for()
        with self.page.expect_navigation():
            dialog.locator("button[value=yes]").click()

    def look(self, name: str) -> None:
        """No barrier, nothing sticks out; a picture for people to look at."""
        found = Axe().run(self.page)
        assert found.response["passes"], "axe did not run"
        wrong = [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found.response["violations"]]
        (self.pictures / f"{name}-{self.name}.png").write_bytes(self.page.screenshot(full_page=True))
        assert wrong == [], (name, wrong)
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name

    def wait_for(self, words: str, seconds: float = 40) -> None:
        """Words appear in the page by themselves: it is live."""
        try:
            self.page.locator("main").get_by_text(words, exact=False).first.wait_for(timeout=seconds * 1000)
        except NeverCame:
            pytest.fail(f"{words!r} never came: {self.page.locator('main').inner_text()[:3000]}")

    def set_up(self) -> None:
        """Set up a second factor, which proves for ten minutes who it is."""
        self.go("/own/second-factor")
        found = re.search(r"<code>([A-Z2-7 ]+)</code>", self.page.content())
        assert found
        self.page.fill("[name=code]", pyotp.TOTP(found[1].replace(" ", "")).now())
        with self.page.expect_navigation():
            self.page.locator("main form:has([name=code]) button").first.click()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq")
    with serve_office(folder / "office", made=found(folder / "office"), log=folder / "log") as running:
        yield running
    log = (folder / "log").read_text()
    assert '"level": "error"' not in log, log[-3000:]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("STORY_SCREENS")
    folder = Path(named) if named else tmp_path_factory.mktemp("story")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def at_a_browser(
    chromium: Browser, office: OfficeProcess, pictures: Path, name: str, width: int, language: str
) -> Iterator[Hand]:  # fmt: skip
    context = chromium.new_context(
        ignore_https_errors=True, viewport={"width": width, "height": 844}, locale=language
    )  # fmt: skip
    hand = Hand(page=context.new_page(), url=office.url, pictures=pictures, name=name)

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            hand.complaints.append(message.text)

    hand.page.on("console", complain)
    hand.page.on("response", lambda got: hand.complaints.append(got.url) if got.status >= 500 else None)
    hand.page.on("pageerror", lambda error: hand.complaints.append(str(error)))
    try:
        yield hand
    finally:
        context.close()
    assert hand.complaints == []


def eventually(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def invited(hand: Hand, office: OfficeProcess, login: str, role: str, *, second: bool = True) -> None:
    made = office.call("people", "add", f"测试{login}", "--login", login, "--mobile", "13800000000", "--role", role)
    hand.go(f"/invited?code={made['invitation']}")
    hand.page.fill("[name=passphrase]", f"{PASSPHRASE} {login}")
    hand.page.fill("[name=again]", f"{PASSPHRASE} {login}")
    with hand.page.expect_navigation():
        hand.page.locator("main form button").first.click()
    if second:
        hand.set_up()


def make_officers_key(hand: Hand) -> str:
    """Make a key in this browser; the words that it shows."""
    hand.go("/officers")
    with hand.page.expect_navigation():
        hand.page.click("[data-officer-act=make]")
    shown = hand.page.locator("[data-officer-here]")
    eventually(lambda: re.search("[0-9a-f]{4} [0-9a-f]{4}", shown.inner_text()), "no key's words")
    return hand.page.locator("[data-officer-here]").inner_text()


def confirm_officers_key(hand: Hand, words: str) -> None:
    hand.go("/officers")
    form = hand.page.locator("form[action='/officers/confirm']").first
    form.locator("[name=words]").fill(words)
    with hand.page.expect_navigation():
        form.locator("button").click()


def sign_order(hand: Hand, order: str) -> None:
    hand.go(f"/orders/{order}")
    hand.page.click("[data-officer-act=sign]")
    dialog = hand.page.locator("dialog[open]")
    dialog.wait_for()
    with hand.page.expect_navigation():
        dialog.locator("button[value=yes]").click()


def test_the_story_of_a_leak_from_enrolment_to_its_end(
    office: OfficeProcess, chromium: Browser, pictures: Path, tmp_path: Path
) -> None:
    store = RealStore(tmp_path / "store")
    before = {path.name: path.read_bytes() for path in store.files.iterdir()}
    with (
        at_a_browser(chromium, office, pictures, "desk", 1280, "zh-CN") as lead,
        at_a_browser(chromium, office, pictures, "phone", 390, "en") as lawyer,
    ):
        log_in(lead, office)
        invited(lawyer, office, "lawyer", "legal@all")
        words = {hand.name: make_officers_key(hand) for hand in (lead, lawyer)}
        confirm_officers_key(lawyer, words["desk"])
        confirm_officers_key(lead, words["phone"])
        try:
            enrol_from_the_page(lead, office, store)
            look_at_what_lies_there(lead)
            incident = declare_from_the_page(lead, store)
            give_an_order(lead, incident)
            record_a_submission(lawyer, lead, incident)
            release_with_two_signatures(lead, lawyer, incident)
            eventually(lambda: store.readable, "never released")
            assert {path.name: path.read_bytes() for path in store.files.glob("*.csv")} == before
            approve_the_final_report(lawyer, store, incident)
            bring_to_its_end(lead, incident)
            report_from_a_phone(chromium, office, pictures, store_of(incident))
        finally:
            store.end()


def store_of(incident: str) -> str:
    return incident.split("/")[2]


def log_in(hand: Hand, office: OfficeProcess) -> None:
    hand.go("/login", "zh-CN")
    hand.page.fill("[name=officer]", office.officer)
    hand.page.fill("[name=passphrase]", office.passphrase)
    with hand.page.expect_navigation():
        hand.page.click("form.login button")
    hand.set_up()
    hand.go("/")
    hand.look("00-empty")


def enrol_from_the_page(lead: Hand, office: OfficeProcess, store: RealStore) -> None:
    lead.go("/settings/stores")
    form = lead.page.locator("form[action='/settings/stores']").last
    form.locator("[name=name]").fill(STORE)
    with lead.page.expect_navigation():
        form.locator("button").click()
    lead.look("01-token")
    token = lead.page.locator("main pre").inner_text().split("--token ")[1].strip()
    store.call("enrol", office.url, "--token", token)
    store.call("scan")
    store.start()


def look_at_what_lies_there(lead: Hand) -> None:
    lead.go("/")
    lead.wait_for(STORE)
    lead.page.get_by_role("link", name=STORE).first.click()
    eventually(lambda: (lead.page.reload(), "120" in lead.page.locator("main").inner_text())[1], "no persons were told")
    lead.look("02-store")


def declare_from_the_page(lead: Hand, store: RealStore) -> str:
    """The path of the incident's page."""
    store_id = lead.page.url.partition("/stores/")[2].partition("?")[0]
    lead.go(f"/declare?store={store_id}")
    lead.page.check("[name=what][value=declare]")
    lead.page.select_option("[name=kind]", "insider")
    lead.page.fill("[name=summary]", "测试：有人在拷贝会员导出")
    lead.page.select_option("[name=scope]", "strays")
    lead.look("03-declare")
    lead.send("确认下达")
    assert "/cases/" in lead.page.url
    eventually(lambda: not store.readable, "never contained")
    lead.wait_for("应急响应")
    lead.wait_for("已执行")
    lead.look("04-case")
    lead.page.locator("#stores").get_by_role("link", name=STORE).click()
    lead.wait_for("在隔离区 3")
    due = lead.page.locator(".clocks .due").first
    eventually(lambda: re.search(r"\d\d:\d\d:\d\d", due.inner_text()), "no clock counts seconds")
    lead.look("05-incident")
    return lead.page.url.removeprefix(lead.url).partition("?")[0].partition("#")[0]


def give_an_order(lead: Hand, incident: str) -> None:
    lead.go(f"{incident}/do/direct")
    lead.page.select_option("[name=role]", "legal")
    lead.page.fill("[name=text]", "请核对向网信部门报告的时限（测试）")
    lead.look("06-order")
    lead.send("下达指令")
    lead.page.locator("#given").get_by_text("已执行").first.wait_for(timeout=60_000)
    lead.page.locator("#orders").get_by_text("请核对向网信部门报告的时限（测试）").wait_for(timeout=60_000)


def record_a_submission(lawyer: Hand, lead: Hand, incident: str) -> None:
    lawyer.go("/law", "en")
    lawyer.look("07-law")
    lawyer.page.get_by_role("link", name="Record it as handed in").first.click()
    duty = lawyer.page.locator("[name=duty]").input_value()
    lawyer.page.fill("[name=channel]", "Hotline 12387")
    lawyer.page.fill("[name=receipt]", "TEST-7")
    lawyer.look("08-submission")
    lawyer.send("Record a submission")
    lawyer.page.locator("#given").get_by_text("done", exact=True).first.wait_for(timeout=60_000)
    lawyer.look("09-incident")
    lawyer.go("/law?show=submitted")
    eventually(lambda: (lawyer.page.reload(), "TEST-7" in lawyer.page.content())[1], f"{duty} never submitted")


def release_with_two_signatures(lead: Hand, lawyer: Hand, incident: str) -> None:
    lead.go(f"{incident}/do/release")
    lead.page.fill("[name=why]", "测试：核对无误")
    lead.send("放回文件")
    lead.wait_for("等两人签名")
    lead.look("10-signatures")
    order = lead.page.get_by_role("link", name="去签名").first.get_attribute("href").rpartition("/")[2]
    sign_order(lead, order)
    lead.look("11-order")
    sign_order(lawyer, order)
    lawyer.look("12-order")


def approve_the_final_report(lawyer: Hand, store: RealStore, incident: str) -> None:
    """Somebody at the store asks; the lawyer's word comes from head office's page."""
    named = incident.rpartition("/")[2]
    store.call("incident", "final", named, "draft")
    store.call("incident", "final", named, "approve", codes=(4,))
    lawyer.go(incident, "en")
    link = lawyer.page.get_by_role("link", name="Approve here").first
    link.wait_for(timeout=60_000)
    link.click()
    lawyer.look("12a-approve")
    lawyer.send("Approve")
    approvals = lawyer.page.locator("#approvals")
    approvals.get_by_text("approved", exact=True).wait_for(timeout=60_000)
    assert "测试lawyer" in approvals.inner_text()


def bring_to_its_end(lead: Hand, incident: str) -> None:
    for phase, words in (("cleaning", "现场清理与恢复"), ("reviewing", "事后报告"), ("closed", "已结束")):
        lead.go(f"{incident}/do/advance")
        lead.page.check(f"[name=to][value={phase}]")
        lead.page.fill("[name=override]", "测试：按流程继续")
        if phase == "cleaning":
            lead.look("13-advance")
        lead.send("推进阶段")
        lead.page.locator("[aria-current=step]", has_text=words).wait_for(timeout=60_000)
    lead.look("14-closed")


def report_from_a_phone(chromium: Browser, office: OfficeProcess, pictures: Path, store_id: str) -> None:
    with at_a_browser(chromium, office, pictures, "manager", 390, "zh-CN") as manager:
        invited(manager, office, "manager", f"store_manager@store:{store_id}", second=False)
        manager.go("/")
        assert manager.page.url.endswith("/my")
        manager.look("15-my")
        manager.page.get_by_role("link", name="顾客信息").click()
        manager.wait_for("会员导出0.csv")
        manager.look("16-data")
        manager.page.get_by_role("link", name="出事了").click()
        manager.page.check("[name=kind][value=lost_device]")
        manager.page.select_option("[name=when]", "yesterday")
        manager.page.check("[name=types][value=contact]")
        manager.look("17-trouble")
        manager.send("马上上报")
        manager.wait_for("门店已经记录")
        manager.look("18-next")
