"""What tests of accounts share: a browser that fills forms in, and a look into a head office's database."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pyotp
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.models import Act, Person
from central.moments import now
from central.testing import OfficeProcess


def hidden(page: str, name: str) -> str:
    """The value of a hidden field (the last one of that name)."""
    found = re.findall(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return html.unescape(found[-1])


@dataclass(kw_only=True)
class Browser:
    """A client with cookies that fills forms in as people do."""

    http: httpx.Client
    office: OfficeProcess
    secret: str = ""
    codes: list[str] = field(default_factory=list)

    def log_in(self, officer: str, passphrase: str, onward: str = "") -> httpx.Response:
        """Fill the login form in."""
        form = self.http.get("/login", params={"next": onward} if onward else {}).text
        fields = {"officer": officer, "passphrase": passphrase}
        fields |= {name: hidden(form, name) for name in ("form_token", "next")}
        return self.http.post("/login", data=fields)

    def post(self, path: str, seen: str = "/own", **fields: str) -> httpx.Response:
        """Send a form with the token of the page `seen`."""
        page = self.http.get(seen, follow_redirects=True)
        return self.http.post(path, data={"form_token": hidden(page.text, "form_token"), **fields})

    def set_up(self) -> httpx.Response:
        """Set up a second factor by what the page shows."""
        page = self.http.get("/own/second-factor").text
        found = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
        assert found
        self.secret = found[1].replace(" ", "")
        answer = self.http.post(
            "/own/second-factor",
            data={
                "form_token": hidden(page, "form_token"), "sealed": hidden(page, "sealed"), "code": self.code(),
            },
        )  # fmt: skip
        self.codes = re.findall(r"<code>([a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4})</code>", answer.text)
        return answer

    def code(self, steps: int = 0) -> str:
        """What the authenticator shows (`steps` of 30 s away)."""
        totp = pyotp.TOTP(self.secret)
        return totp.generate_otp(totp.timecode(now()) + steps)

    def forget_steps(self) -> None:
        """Make the same minute's codes usable again, as if a minute had passed."""
        with database(self.office) as session:
            for person in session.scalars(select(Person)):
                person.totp_step = 0


@contextmanager
def database(office: OfficeProcess) -> Iterator[Session]:
    """A look (and a grip) into the database of a running head office."""
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    try:
        with sessionmaker(engine, expire_on_commit=False).begin() as session:
            yield session
    finally:
        engine.dispose()


def acts_of(office: OfficeProcess, act: str) -> list[Act]:
    """Entries of the record."""
    with database(office) as session:
        return list(session.scalars(select(Act).where(Act.act == act).order_by(Act.id)))
