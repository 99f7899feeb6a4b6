"""Certificates of a store: asked for in time, put into place whole, by a real link from a real head office."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hq_founding import found
from shops import opened

from agent.doctor import head_office
from agent.link.credentials import make_request, take
from agent.link.errands import answer, ask, is_waiting, prepare
from agent.link.renewal import is_due, look_after
from agent.link.settings import SETTINGS_FILE, Enrolment, read_enrolment
from agent.link.trust import Trust, load, save
from agent.wiring import Agent
from central.home import HeadOfficeHome
from central.stores.authority import make_authority, read_authority
from central.testing import OfficeProcess, SpeakingStore, serve_office
from config.errors import ClocheError
from config.home import Home, find_home

CLOCHE = (sys.executable, "-P", "-c", "from agent.cli import main; main()")
LINK = (sys.executable, "-P", "-c", "from agent.link.main import main; main()")
LIVES = timedelta(seconds=8)
RENEW = "renew"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    days = str(LIVES.total_seconds() / 86_400)
    folder = tmp_path_factory.mktemp("hq") / "office"
    with serve_office(folder, made=found(folder), more=["--certificate-days", days]) as running:
        yield running


@pytest.fixture
def home(office: OfficeProcess, tmp_path: Path) -> Home:
    """A store that has enrolled."""
    folder = tmp_path / "store"
    done = subprocess.run(
        [*CLOCHE, "enrol", office.url, "--token", office.token("测试店"), "--home", str(folder), "--json"],
        capture_output=True, text=True, check=False,
        env=os.environ | {"CLOCHE_LINK__RETRY_SECONDS": "0.2", "CLOCHE_LINK__MAX_RETRY_SECONDS": "0.5"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return find_home(folder)


@contextmanager
def running_link(home: Home) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*LINK, "--home", str(home.state)], stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=15)


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.1)


def enrolment_of(home: Home) -> Enrolment:
    found = read_enrolment(home.outbox)
    assert found is not None
    return found


def serial(enrolment: Enrolment) -> int:
    return x509.load_pem_x509_certificate(enrolment.certificate_pem.encode()).serial_number


def keep(agent: Agent) -> None:
    """What the daemon does again and again."""
    look_after(agent, datetime.now(UTC))


def test_enrolment_pins_whom_to_follow_in_roots_own_file(home: Home, office: OfficeProcess) -> None:
    trust = load(home)
    assert trust is not None
    assert len(trust.order_key) == 32
    assert trust.persons_key is not None
    assert trust.store == enrolment_of(home).store
    assert (home.state / "trust.json").stat().st_mode & 0o777 == 0o600
    assert (home.outbox / SETTINGS_FILE).stat().st_mode & 0o777 == 0o640
    assert not (home.keys / "tls.enrol").exists()
    assert "PRIVATE KEY" not in repr(enrolment_of(home))


def test_a_certificate_is_renewed_again_and_again_and_no_report_is_refused(home: Home, office: OfficeProcess) -> None:
    with opened(home) as agent, running_link(home):
        seen = {serial(enrolment_of(home))}
        until = time.monotonic() + 3 * LIVES.total_seconds()
        while len(seen) < 4 and time.monotonic() < until:
            agent.outbox.put("alert", {"id": str(time.monotonic()), "at": "2026-11-01T00:00:00Z", "kind": "bound"})
            keep(agent)
            seen.add(serial(enrolment_of(home)))
            time.sleep(0.25)
        wait_for(lambda: keep(agent) or not agent.outbox.pending())
        assert len(seen) >= 4
        assert agent.outbox.link_state().refused == ()
        assert "certificate.renewed" in home.audit_log.read_text()


def test_a_store_whose_certificate_ended_while_it_was_off_renews_by_itself(home: Home) -> None:
    time.sleep(LIVES.total_seconds() + 0.5)
    with opened(home) as agent, running_link(home):
        before = serial(enrolment_of(home))
        agent.outbox.put("alert", {"id": "x", "at": "2026-11-01T00:00:00Z", "kind": "bound"})
        wait_for(lambda: agent.outbox.link_state().fault == "HTTP 401 certificate_expired")
        wait_for(lambda: keep(agent) or serial(enrolment_of(home)) != before)
        wait_for(lambda: keep(agent) or not agent.outbox.pending())


def test_a_store_that_enrolled_before_there_were_certificates_gets_one(home: Home) -> None:
    old = replace(enrolment_of(home), certificate_pem="", key_pem="", certificate_seconds=0.0, received_at="")
    with opened(home) as agent:
        agent.outbox.place(SETTINGS_FILE, replace(enrolment_of(home), certificate_seconds=1e6).encode())
        assert head_office(home).why == "hq_enrolled"
        agent.outbox.place(SETTINGS_FILE, old.encode())
        assert head_office(home).why == "hq_certificate"
        with running_link(home):
            wait_for(lambda: keep(agent) or enrolment_of(home).certificate_pem)
            agent.outbox.put("alert", {"id": "y", "at": "2026-11-01T00:00:00Z", "kind": "bound"})
            wait_for(lambda: keep(agent) or not agent.outbox.pending())


def test_a_clock_that_jumps_does_not_let_a_certificate_run_out() -> None:
    moment = datetime(2026, 11, 26, tzinfo=UTC)
    enrolment = Enrolment(
        url="https://x", authority_pem="", store="s", name="", hq="", certificate_pem="x", key_pem="x",
        certificate_seconds=timedelta(days=90).total_seconds(), received_at=moment.isoformat(),
    )  # fmt: skip
    assert not is_due(enrolment, moment + timedelta(days=59))
    assert is_due(enrolment, moment + timedelta(days=61))
    assert is_due(enrolment, moment - timedelta(days=365))
    assert not is_due(enrolment, moment - timedelta(minutes=30))
    assert is_due(enrolment, moment, "HTTP 401 certificate_expired")
    assert is_due(replace(enrolment, received_at="?"), moment)


def test_a_hijacked_link_cannot_put_another_certificate_in_place(home: Home, tmp_path: Path) -> None:
    """Its own CA's, another store's of the right CA, and rubbish: the old one stays, and is asked for anew."""
    elsewhere = HeadOfficeHome(folder=tmp_path / "thief")
    elsewhere.create()
    make_authority(elsewhere, "测试", ["127.0.0.1"])
    thief = read_authority(elsewhere)
    before = enrolment_of(home)
    with opened(home) as agent:
        waiting = agent.home.keys / "tls.renew"
        request = x509.load_pem_x509_csr(make_request(waiting).encode())
        forged = thief.issue(request.public_key(), before.store, timedelta(days=1))
        forged_pem = forged.public_bytes(Encoding.PEM).decode()
        for said in (
            {"certificate": forged_pem},
            {"certificate": before.certificate_pem},
            {"certificate": "rubbish"},
            {},
        ):
            ask(agent, RENEW, "/v1/renew", {})
            lay_answer(home, said)
            keep(agent)
            assert enrolment_of(home) == before
            assert not is_waiting(agent, RENEW)
    with pytest.raises(ValueError, match="cannot be used"):
        take(waiting, forged_pem, before.authority_pem, before.store)


def lay_answer(home: Home, document: object, *, identifier: str | None = None, status: int = 200) -> None:
    """What a link could write."""
    prepare(home.outbox)
    errand = json.loads((home.outbox / "errands" / f"errand-{RENEW}.json").read_bytes())
    content = {"schema": "x", "id": identifier or errand["id"], "status": status, "document": document}
    (home.outbox / "answers" / f"answer-{RENEW}.json").write_text(json.dumps(content))


def test_an_answer_is_taken_once_and_only_for_its_own_request(home: Home) -> None:
    with opened(home) as agent:
        assert answer(agent, RENEW) is None
        ask(agent, RENEW, "/v1/renew", {"a": 1})
        lay_answer(home, {"b": 2}, identifier="another")
        assert answer(agent, RENEW) is None
        assert is_waiting(agent, RENEW)
        (home.outbox / "answers" / f"answer-{RENEW}.json").write_text("[" * 100_000)
        assert answer(agent, RENEW) is None
        (home.outbox / "answers" / f"answer-{RENEW}.json").unlink(missing_ok=True)
        (home.outbox / "answers" / f"answer-{RENEW}.json").symlink_to(home.keys / "seal.key")
        assert answer(agent, RENEW) is None
        (home.outbox / "answers" / f"answer-{RENEW}.json").unlink(missing_ok=True)
        lay_answer(home, {"error": "store_revoked"}, status=403)
        assert answer(agent, RENEW) == {"error": "store_revoked", "status": 403}
        assert answer(agent, RENEW) is None
        assert not is_waiting(agent, RENEW)


def test_a_damaged_pin_is_named(home: Home) -> None:
    trust = load(home)
    assert trust is not None
    save(home, Trust(store="s-1", order_key=trust.order_key))
    again = load(home)
    assert again is not None
    assert (again.store, again.persons_key) == ("s-1", None)
    (home.state / "trust.json").write_text('{"order_key": 3}')
    with pytest.raises(ClocheError, match=r"trust\.json: damaged"):
        load(home)


def test_two_machines_with_one_identity_are_noticed(home: Home, office: OfficeProcess) -> None:
    """A copied disk: both send, by turns; each start of a link has its own name."""
    enrolment = enrolment_of(home)
    with office.client() as client:
        stores = []
        for _ in range(2):
            store = SpeakingStore(client=client, store_id=enrolment.store, authority_pem=enrolment.authority_pem)
            store.certificate_pem = enrolment.certificate_pem
            store.tls_key = private_key(enrolment.key_pem)
            stores.append(store)
        first, second = stores
        for store in (first, second, first):
            store.send(b"{}")
            store.close()
    assert "clone" in faults_of(office, enrolment.store)


def private_key(pem: str) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def faults_of(office: OfficeProcess, store: str) -> dict[str, str]:
    connection = sqlite3.connect(office.folder / "hq.db")
    rows = connection.execute("SELECT kind, detail FROM faults WHERE store_id = ?", (store,)).fetchall()
    connection.close()
    return dict(rows)
