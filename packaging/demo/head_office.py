"""Look at head office as an officer does: log in, wait for the incident, keep the pages."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from pictures import picture
from processes import StepError

if TYPE_CHECKING:
    from stage import Stage


@contextmanager
def logged_in(stage: Stage) -> Iterator[httpx.Client]:
    """A client with an officer's session, which trusts this head office's own authority only."""
    trust = ssl.create_default_context(cafile=stage.head_office / "ca.pem")
    passphrase = str(stage.facts["passphrase"])
    with httpx.Client(base_url=str(stage.facts["url"]), verify=trust, params={"lang": stage.words.language}) as client:
        form = re.search(r'name="form_token" value="([^"]+)"', client.get("/login").text)
        fields = {"form_token": form[1] if form else "", "officer": "admin", "passphrase": passphrase}
        answer = client.post("/login", data=fields)
        if answer.status_code != 303:
            raise StepError(f"the login at head office answered {answer.status_code}")
        yield client


def wait_for(stage: Stage, incident: str, seconds: float) -> float | None:
    """Seconds from declaring until head office shows the incident; None if it does not."""
    with logged_in(stage) as client:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if incident in client.get("/").text:
                return time.time() - float(str(stage.facts["declared"]))
            time.sleep(0.2)
    return None


def save(stage: Stage) -> list[Path]:
    """The pages with their style inside, and pictures of them."""
    kept: list[Path] = []
    with logged_in(stage) as client:
        style = client.get("/static/cloche.css").text
        front = client.get("/").text
        pages = {"hq.html": front}
        for name, pattern in (
            ("hq-store.html", r'href="(/stores/[^"?]+)'),
            ("hq-incident.html", r'href="(/incidents/[^"?]+)'),
        ):
            found = re.search(pattern, front)
            if found:
                pages[name] = client.get(found[1]).text
        for name, text in pages.items():
            styled = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>{style}</style>", text)
            alone = re.sub(r'<meta http-equiv="refresh"[^>]*>|<link rel="icon"[^>]*>|<img [^>]*>', "", styled)
            target = stage.results / name
            target.write_text(alone, encoding="utf-8")
            kept += [target, *picture(stage, target.as_uri(), f"{target.stem}.png", "1200,1000")]
    return kept
