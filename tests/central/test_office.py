"""Making a head office, its keys, its tokens and its database."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.database.writer import BusyError, Writer
from central.keys import unlock_identity
from central.models import Fact
from central.testing import PROGRAM, OfficeProcess, SpeakingStore, call_office
from central.wire import encode, split_token
from config.errors import ClocheError, RefusedError, UsageError
from config.identity import parse_identity


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments, "--home", str(folder)], capture_output=True, text=True, check=False)


def test_everything_private_of_a_head_office_is_its_owners_alone(office: OfficeProcess) -> None:
    for name in ("ca.key", "server.key", "hq.db", "keys/hq.key", "../office.recovery"):
        assert stat.S_IMODE((office.folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(office.folder.stat().st_mode) == 0o700


def test_a_head_office_is_never_made_over_another(office: OfficeProcess) -> None:
    before = (office.folder / "ca.key").read_bytes()
    again = run(office.folder, "init")
    assert again.returncode == 4
    assert "already" in again.stderr
    assert run(office.folder, "keys", "init", "--recovery-file", "/dev/null").returncode == 4
    assert (office.folder / "ca.key").read_bytes() == before


def test_the_folder_may_stand_before_the_verb_and_every_error_is_a_document(tmp_path: Path) -> None:
    for arguments in (["--home", str(tmp_path / "gone"), "status", "--json"], ["token", "--hours", "x", "--json"]):
        done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False)
        document = json.loads(done.stdout)
        assert (document["schema"], document["exit_code"], done.returncode) == ("cloche.error/1", 2, 2)
        assert document["error"] in done.stderr


def test_a_folder_without_a_head_office_is_named(tmp_path: Path) -> None:
    for verb in (["status"], ["keys", "init"], ["token"], ["certificate"]):
        done = run(tmp_path, *verb)
        assert done.returncode == 2
        assert str(tmp_path) in done.stderr
        assert "Traceback" not in done.stderr


def test_the_recovery_key_is_written_to_its_file_and_kept_nowhere_else(tmp_path: Path) -> None:
    folder, sheet = tmp_path / "hq", tmp_path / "sheet"
    call_office(folder, "init")
    made = call_office(folder, "keys", "init", "--recovery-file", str(sheet))
    recovery = parse_identity(sheet.read_text())
    assert recovery.id == made["recovery"]
    for file in folder.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert recovery.seed not in content
        assert not any(line.encode() in content for line in recovery.lines())
    hq = unlock_identity(folder / "keys" / "hq.key", made["passphrase"])
    assert hq.id == made["hq"]
    with pytest.raises(RefusedError):
        unlock_identity(folder / "keys" / "hq.key", made["passphrase"] + "x")


def test_without_a_terminal_the_sheet_is_not_shown(tmp_path: Path) -> None:
    call_office(tmp_path / "hq", "init")
    done = run(tmp_path / "hq", "keys", "init")
    assert done.returncode == 4
    assert "--recovery-file" in done.stderr
    assert not (tmp_path / "hq" / "keys" / "recovery.pub").exists()
    assert run(tmp_path / "hq", "status").returncode == 3


def test_a_newer_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "hq.db"
    open_database(f"sqlite:///{path}", create=True).dispose()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(ClocheError, match=r"hq\.db.*newer.*9999"):
        open_database(f"sqlite:///{path}")


def test_a_token_works_once(office: OfficeProcess, client: httpx.Client) -> None:
    token = office.token("测试甲店")
    assert SpeakingStore(client=client).enrol(token).status_code == 200
    second = SpeakingStore(client=client).enrol(token)
    assert (second.status_code, second.json()["error"]) == (403, "token_used")


def test_one_token_used_by_many_at_once_enrols_one(office: OfficeProcess) -> None:
    token, statuses = office.token(), []

    def use() -> None:
        with office.client() as http:
            statuses.append(SpeakingStore(client=http).enrol(token).status_code)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 403, 403, 403, 403, 403]


def test_an_expired_or_invented_token_enrols_nobody(office: OfficeProcess, client: httpx.Client) -> None:
    expired = SpeakingStore(client=client).enrol(office.token(lasts=timedelta(seconds=-1)))
    assert expired.json()["error"] == "token_expired"
    identifier, _secret, pin = split_token(office.token())
    invented = SpeakingStore(client=client).enrol(f"{identifier}.{encode(b'guess')}.{encode(pin)}")
    assert (invented.status_code, invented.json()["error"]) == (403, "token_unknown")


def test_a_key_that_is_not_held_cannot_be_enrolled(office: OfficeProcess, client: httpx.Client) -> None:
    victim, thief, token = SpeakingStore(client=client), SpeakingStore(client=client), office.token()

    class Claims(SpeakingStore):
        @property
        def public_key(self) -> bytes:
            return victim.public_key

    claim = Claims(client=client, key=thief.key).enrol(token)
    assert (claim.status_code, claim.json()["error"]) == (401, "signature")
    assert thief.enrol(token).status_code == 200


def test_the_same_key_keeps_its_store_and_its_numbers(office: OfficeProcess, client: httpx.Client) -> None:
    store = SpeakingStore(client=client)
    store.enrol(office.token("测试乙店"))
    first = store.store_id
    store.report("health", {})
    store.report("health", {})
    again = store.enrol(office.token("测试乙店（新）")).json()
    assert again["store"] == first
    assert again["next_number"] == 3


def test_the_token_itself_is_not_in_the_database(office: OfficeProcess) -> None:
    secret = split_token(office.token())[1].encode()
    for file in office.folder.glob("hq.db*"):
        assert secret not in file.read_bytes()


@pytest.fixture
def sessions(tmp_path: Path) -> sessionmaker[Session]:
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}", create=True)
    yield sessionmaker(engine)
    engine.dispose()


def test_a_job_that_fails_undoes_itself_alone(sessions: sessionmaker[Session]) -> None:
    writer = Writer(sessions)

    def add(key: str, *, fail: bool = False) -> object:
        def job(session: Session) -> str:
            session.add(Fact(key=key, value="x"))
            session.flush()
            if fail:
                raise UsageError("no")
            return key

        return writer.submit(job)

    waiting = [add("a"), add("b", fail=True), add("c")]
    writer.start()
    assert waiting[0].result(10) == "a"
    with pytest.raises(UsageError):
        waiting[1].result(10)
    assert waiting[2].result(10) == "c"
    writer.close()
    with sessions() as session:
        assert set(session.scalars(select(Fact.key))) == {"a", "c"}


def test_a_full_queue_says_so_and_loses_nothing_that_was_taken(sessions: sessionmaker[Session]) -> None:
    writer = Writer(sessions, limit=3)
    taken = [writer.submit(lambda session, key=key: session.add(Fact(key=key, value=""))) for key in "abc"]
    with pytest.raises(BusyError):
        writer.submit(lambda session: session.add(Fact(key="d", value="")))
    writer.start()
    for future in taken:
        future.result(10)
    writer.close()
    with sessions() as session:
        assert set(session.scalars(select(Fact.key))) == {"a", "b", "c"}
