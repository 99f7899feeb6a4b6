"""Head office as a real process, stores that speak to it, and a real browser over its DevTools pipe."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from central.testing import OfficeProcess, SpeakingStore, serve_office


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    with serve_office(tmp_path_factory.mktemp("hq") / "office") as running:
        yield running


@pytest.fixture
def client(office: OfficeProcess) -> Iterator[httpx.Client]:
    with office.client() as http:
        yield http


@pytest.fixture
def enrolled(office: OfficeProcess, client: httpx.Client) -> Callable[[str], SpeakingStore]:
    """A new store under a name."""

    def enrol(name: str) -> SpeakingStore:
        store = SpeakingStore(client=client)
        assert store.enrol(office.token(name)).status_code == 200
        return store

    return enrol


@pytest.fixture(scope="module")
def cookies(office: OfficeProcess) -> httpx.Cookies:
    """Of a browser that is logged in as the first officer."""
    with office.client() as http:
        assert log_in(http, office.officer, office.passphrase).status_code == 303
        return http.cookies


@pytest.fixture
def browser_page(client: httpx.Client, cookies: httpx.Cookies) -> httpx.Client:
    """The client, logged in."""
    client.cookies.update(cookies)
    return client


def log_in(client: httpx.Client, officer: str, passphrase: str) -> httpx.Response:
    """Fill the login form in, hidden field included."""
    form = client.get("/login").text
    token = form.split('name="form_token" value="')[1].split('"')[0]
    return client.post("/login", data={"officer": officer, "passphrase": passphrase, "form_token": token})


FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--ignore-certificate-errors", "--hide-scrollbars",
)  # fmt: skip


class Browser:
    """Chromium, spoken to over `--remote-debugging-pipe` (NUL-ended JSON on descriptors 3 and 4)."""

    def __init__(self, profile: Path) -> None:
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()

        def hand_over() -> None:
            first, second = os.dup(to_read), os.dup(to_write)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self._process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, start_new_session=True,
            preexec_fn=hand_over,  # noqa: PLW1509  descriptors 3 and 4 can be given in no other way; one thread here
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self._pending, self._number, self._session = b"", 0, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")
        self.call("Log.enable")
        self.complaints: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("method") == "Log.entryAdded":
                self.complaints.append(answer["params"]["entry"]["text"])
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            piece = os.read(self._read, 1 << 20)
            assert piece, "the browser went away"
            self._pending += piece
        message, self._pending = self._pending.split(b"\0", 1)
        return json.loads(message)

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait(self, condition: str) -> None:
        deadline = time.monotonic() + 15
        while not self.run(condition):
            assert time.monotonic() < deadline, f"never true: {condition}"
            time.sleep(0.05)

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def picture(self, file: Path) -> bytes:
        data = base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])
        file.write_bytes(data)
        return data

    def close(self) -> None:
        self._session = ""
        os.write(self._write, b'{"id": 0, "method": "Browser.close", "params": {}}\0')
        self._process.wait(timeout=20)
        os.close(self._write)
        os.close(self._read)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    started = Browser(tmp_path / "profile")
    try:
        yield started
    finally:
        started.close()
        shutil.rmtree(tmp_path / "profile", ignore_errors=True)


@pytest.fixture(name="log_in")
def give_log_in() -> Callable[[httpx.Client, str, str], httpx.Response]:
    return log_in
