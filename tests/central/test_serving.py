"""`cloche-hq serve`: made on an empty folder, several processes, files that are damaged, certificates made anew."""

import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from central.accepting import AT_ONCE, TURN_SECONDS
from central.home import HeadOfficeHome
from central.stores.authority import OFF, make_authority, pin_of, read_authority, read_server, server_facts
from central.stores.server_certificate import reissue, renew_if_due
from central.testing import PROGRAM, OfficeProcess, SpeakingStore, call_office, serve_office
from config.errors import ClocheError

NOBODY = {"officer": "", "passphrase": ""}
LogIn = Callable[[httpx.Client, str, str], httpx.Response]


@contextmanager
def started(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*PROGRAM, "serve", "--home", str(folder), "--port", "0", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "LANG": "en"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def client_of(folder: Path, url: str) -> httpx.Client:
    return OfficeProcess(folder=folder, url=url, officer="", passphrase="", pid=0).client()


def test_one_command_on_an_empty_folder_makes_all_and_says_how_to_come_in(tmp_path: Path, log_in: LogIn) -> None:
    folder = tmp_path / "hq"
    with started(folder) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        url = lines[-1].split()[-1]
        login = next(line for line in lines if "admin" in line)
        passphrase = next(word for word in login.replace(",", " ").split() if word.count("-") == 4)
        with client_of(folder, url) as client:
            assert log_in(client, "admin", passphrase).status_code == 303
    with started(folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("head office: https://")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    done = subprocess.run([*PROGRAM, "serve", "--home", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cloche-hq init" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("missing", [("server.pem",), ("server.pem", "server.key"), ("server.pem", "ca.pem")])
def test_what_was_cut_off_half_way_is_finished_by_init(made: Path, tmp_path: Path, missing: tuple[str, ...]) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    before = pin_of(folder / "ca.pem").hex()
    for name in missing:
        (folder / name).unlink()
    again = call_office(folder, "init")
    assert again["pin"] == before
    assert (
        read_server(HeadOfficeHome(folder=folder))[0].issuer
        == read_authority(HeadOfficeHome(folder=folder)).certificate.subject
    )


def test_a_database_that_is_another_head_offices_is_not_taken_over(made: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "init", "--home", str(tmp_path / "second")], capture_output=True, text=True, check=False,
        env=os.environ | {"CLOCHEHQ_DATABASE": f"sqlite:///{made / 'hq.db'}"},
    )  # fmt: skip
    assert done.returncode == 4
    assert "keys are elsewhere" in done.stderr


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("ca.key", b"rubbish", "ca.key: no private key"),
        ("ca.pem", b"rubbish", "ca.pem: no certificate"),
        ("server.pem", b"rubbish", "server.pem: no certificate"),
        ("server.key", b"", "server.key: no private key"),
        ("keys/order.key", b"xx", "order.key: damaged"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(made: Path, tmp_path: Path, file: str, content: bytes, said: str) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    (folder / file).write_bytes(content)
    done = subprocess.run(
        [*PROGRAM, "serve", "--home", str(folder), "--port", "0"], capture_output=True, text=True, check=False,
        timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "hq"
    call_office(folder, "init")
    return folder


def test_another_authoritys_key_is_not_mistaken_for_ours(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    other = HeadOfficeHome(folder=tmp_path / "other")
    other.create()
    make_authority(other, "测试", ["127.0.0.1"])
    shutil.copy(other.authority_key, folder / "ca.key")
    with pytest.raises(ClocheError, match=r"ca\.key: is not the key of .*ca\.pem"):
        read_authority(HeadOfficeHome(folder=folder))


def test_several_processes_serve_one_office_and_a_dead_one_is_started_anew(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    with serve_office(folder, made=NOBODY, processes=2) as office:
        first = children(office.pid)
        assert len(first) == 2
        with office.client() as client:
            stores = [SpeakingStore(client=client) for _ in range(6)]
            for store in stores:
                assert store.enrol(office.token()).status_code == 200
                assert store.report("health", {}).status_code == 200
            os.kill(first[0], signal.SIGKILL)
            wait_for(lambda: len(children(office.pid)) == 2 and first[0] not in children(office.pid))
            for store in stores:
                store.close()
                assert store.report("health", {}).status_code == 200
                store.close()
        kept = children(office.pid)
        os.kill(office.pid, signal.SIGKILL)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() and state(pid) != "Z" for pid in kept))


def test_figures_of_several_processes_are_told_together_by_any_of_them(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    (folder / "hq.toml").write_text("[api]\nmetrics_on_loopback = true\n")
    with serve_office(folder, made=NOBODY, processes=2) as office:
        for number in range(1, 9):  # a connection each: the kernel gives them to both
            with office.client() as client:
                store = SpeakingStore(client=client)
                store.enrol(office.token())
                assert store.report("health", {}).status_code == 200
                store.close()
            told = [figure(office, 'cloche_hq_reports_total{status="200"}') for _ in range(4)]
            assert told == [number] * 4
        os.kill(children(office.pid)[0], signal.SIGKILL)
        wait_for(lambda: len(children(office.pid)) == 2)
        wait_for(lambda: figure(office, 'cloche_hq_reports_total{status="200"}') == 8)  # counted stays counted
        assert figure(office, "cloche_hq_polls_connected") == 0


def figure(office: OfficeProcess, name: str) -> float:
    """What /metrics says over a new connection; -1 if nobody is there, or nothing of this name."""
    try:
        with office.client() as client:
            lines = client.get("/metrics").text.splitlines()
    except httpx.TransportError:
        return -1
    return next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), -1)


def test_many_who_connect_and_say_nothing_hold_nobody_up(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    with serve_office(folder, made=NOBODY, log=tmp_path / "log") as office, ExitStack() as silent:
        port = int(office.url.rsplit(":", 1)[1])
        for _ in range(5 * AT_ONCE):
            silent.enter_context(socket.create_connection(("127.0.0.1", port)))
        begun = time.monotonic()
        with office.client() as client:
            assert client.get("/login").status_code == 200
        assert time.monotonic() - begun < 5 * TURN_SECONDS + 3
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log


def test_a_server_without_descriptors_takes_connections_again_once_it_has_some(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    with serve_office(folder, made=NOBODY, log=tmp_path / "log") as office:
        port = int(office.url.rsplit(":", 1)[1])
        before = resource.prlimit(office.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(office.pid, resource.RLIMIT_NOFILE, (3, before[1]))  # those it has stay
        with socket.create_connection(("127.0.0.1", port)):
            wait_for(lambda: "could not be taken" in (tmp_path / "log").read_text())
        resource.prlimit(office.pid, resource.RLIMIT_NOFILE, before)
        with office.client() as client:
            assert client.get("/login").status_code == 200


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "Z"


def test_a_server_that_is_told_to_stop_ends_well(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    for more in ((), ("--processes", "2")):
        with started(folder, *more) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.terminate()
            assert process.wait(timeout=20) == 0


def test_neither_a_store_that_waits_nor_a_silent_connection_holds_up_the_end(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    with serve_office(folder, made=NOBODY) as office, office.client() as client:
        store = SpeakingStore(client=client)
        store.enrol(office.token())
        port = int(office.url.rsplit(":", 1)[1])
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        with (
            socket.create_connection(("127.0.0.1", port)) as line,
            context.wrap_socket(line, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as silent,
            ThreadPoolExecutor(1) as pool,
        ):
            silent.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert silent.recv(4096).startswith(b"HTTP/1.1 200")
            poll = pool.submit(store.poll, wait=50)
            time.sleep(1)
            assert not poll.done()
            begun = time.monotonic()
            os.kill(office.pid, signal.SIGTERM)
            wait_for(lambda: state(office.pid) == "Z")
            assert time.monotonic() - begun < 6
            assert poll.result().json()["again_in"] >= 5
        store.close()


def test_a_further_host_is_served_without_a_restart_and_stores_notice_nothing(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    with serve_office(folder, made=NOBODY) as office, office.client() as client:
        store = SpeakingStore(client=client)
        store.enrol(office.token())
        call_office(folder, "certificate", "--host", "hq.example.test")
        port = int(office.url.rsplit(":", 1)[1])
        wait_for(lambda: "hq.example.test" in hosts_served(folder, port))
        assert "127.0.0.1" in hosts_served(folder, port)
        store.close()
        assert store.report("health", {}).status_code == 200


def hosts_served(folder: Path, port: int) -> list[str]:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        facts = secured.getpeercert()
    assert facts is not None
    return [str(value) for _, value in facts["subjectAltName"]]


def test_the_servers_certificate_stands_a_clock_that_is_a_year_off_either_way(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    home = HeadOfficeHome(folder=folder)
    moment, year = datetime.now(UTC), timedelta(days=366)
    for certificate in (read_server(home)[0], read_authority(home).certificate):
        assert certificate.not_valid_before_utc < moment - year
        assert certificate.not_valid_after_utc > moment + year
    server = read_server(home)[0]
    assert server.not_valid_after_utc - server.not_valid_before_utc <= timedelta(days=825)


def test_the_servers_certificate_is_made_anew_long_before_it_ends(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    home = HeadOfficeHome(folder=folder)
    authority = read_authority(home)
    assert not renew_if_due(home, authority)
    later = datetime.now(UTC) + timedelta(days=30)
    for module in ("central.stores.authority", "central.stores.server_certificate"):
        monkeypatch.setattr(f"{module}.now", lambda: later)
    hosts = server_facts(home)[1]
    assert renew_if_due(home, authority)
    assert not renew_if_due(home, authority)
    until, named = server_facts(home)
    assert until - later > OFF
    assert named == hosts
    assert reissue(home, ["hq.example.test"], only=True) == ["hq.example.test"]
    chain = x509.load_pem_x509_certificates(home.server_chain.read_bytes())
    chain[0].verify_directly_issued_by(authority.certificate)
    assert not list(folder.glob(".*.part"))


HANGS_ONCE = """
import pathlib, sys, time
from central import workers
workers.STALLED_SECONDS = 1.0
mark = pathlib.Path(sys.argv[1])
def work(ready, beat):
    ready()
    if not mark.exists():
        mark.write_text("hung")
        time.sleep(60)
    while True:
        beat()
        time.sleep(0.1)
def start(ready, beat):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return work(ready, beat)
sys.exit(workers.Workers([start], ready=lambda: print("ready", flush=True)).run())
"""


def test_a_worker_that_hangs_is_ended_and_started_anew(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", HANGS_ONCE, str(tmp_path / "mark")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        first = children(process.pid)
        wait_for(lambda: children(process.pid) not in ([], first))
        second = children(process.pid)
        time.sleep(2)
        assert children(process.pid) == second
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_what_keeps_a_worker_from_starting_is_said_once_and_ends_all(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hq"
    shutil.copytree(made, folder)
    (folder / "keys" / "order.key").write_bytes(b"xx")
    done = subprocess.run(
        [*PROGRAM, "serve", "--home", str(folder), "--port", "0", "--processes", "2"], capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "order.key: damaged" in done.stderr
