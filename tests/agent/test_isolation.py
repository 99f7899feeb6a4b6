"""Isolation as people order it: journalled, looked after, lifted, told; the helper; the command line in a namespace."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import premises
import pytest
from premises import NOW
from shops import Clock

from agent.incident.declare import Declaration, declare
from agent.incident.store import incidents
from agent.isolation import carrying, operations
from agent.isolation import state as isolation_state
from agent.isolation.carrying import look_after
from agent.isolation.hand import HelpersHand, OwnHand, hand_of
from agent.isolation.helper import answer, serve
from agent.isolation.kept import all_kept, configured, ended_by, offers
from agent.isolation.state import Isolation, Isolations
from agent.operation import Caller, Request
from agent.wiring import Agent, build_agent
from config.errors import ClocheError, ExitCode, RefusedError, UsageError
from config.home import Home, find_home
from config.schema import Settings
from config.text import LANGUAGES, Text
from containment.connections import Connection, connections
from containment.network import Rules, Seen

OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
WAITER = Caller(uid=1000, gid=1000, pid=1, user="waiter")
MANAGER = Caller(uid=1001, gid=1001, pid=1, user="manager", roles=frozenset({"store_manager"}))

no_reports = premises.no_reports
clock = premises.clock
home = premises.home


class Kernel:
    """Speaks the hand's protocol and holds what a kernel would; nft itself is tried in `test_network`."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.fails = False
        self.asked = 0

    def put_up(self, rules: Rules) -> tuple[str, ...]:
        self.asked += 1
        if self.fails:
            raise ClocheError("nft failed")
        self.rules = rules
        return tuple(entry.host for entry in rules.allowed if entry.network is None)

    def take_down(self) -> None:
        if self.fails:
            raise ClocheError("nft failed")
        self.rules = Rules()

    def look(self) -> Seen:
        return Seen(everything=self.rules.everything, seconds=self.rules.seconds, clients=self.rules.clients)

    def filters(self) -> int:
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    monkeypatch.setattr(carrying, "hand_of", lambda _home: found)
    return found


def settings(**isolate: object) -> Settings:
    return Settings.model_validate({"isolate": {"printers": ["192.168.1.50:9100"], **isolate}})


@pytest.fixture
def agent(home: Home, clock: Clock, kernel: Kernel) -> Iterator[Agent]:
    with build_agent(home, settings(), now=clock) as built:
        yield built


def ask(agent: Agent, what: str, caller: Caller = OWNER, **arguments: object):
    return getattr(operations, what)(agent, Request(arguments=arguments, caller=caller))


def recorded(home: Home) -> list[str]:
    return [json.loads(line)["act"] for line in home.audit_log.read_bytes().splitlines()]


def test_what_is_ordered_is_put_up_shown_and_lifted_and_each_stands_on_record(agent, home, kernel):
    document = ask(agent, "on", minutes=30, reason="有人从外面登录").document
    assert (kernel.rules.everything, kernel.rules.seconds) == (True, 1800)
    assert "out 192.168.1.50:9100" in [str(entry) for entry in kernel.rules.allowed]
    assert document["ordered"]["everything"]
    assert document["as_ordered"] is True
    assert ask(agent, "status").document["kernel"]["everything"]
    assert ask(agent, "off").document["ordered"] is None
    assert kernel.rules == Rules()
    assert [act for act in recorded(home) if act.startswith("isolate")] == ["isolate.on", "isolate.off"]


def test_one_client_is_cut_beside_an_isolation_and_let_in_alone(agent, kernel):
    ask(agent, "on", clients=["192.168.1.66"], minutes=10)
    assert [str(cut.address) for cut in kernel.rules.clients] == ["192.168.1.66"]
    assert not kernel.rules.everything
    assert kernel.rules.allowed == ()
    ask(agent, "on")
    ask(agent, "on", clients=["192.168.1.67"])
    assert kernel.rules.everything
    assert [cut.seconds for cut in kernel.rules.clients] == [600, None]
    ask(agent, "off", clients=["192.168.1.66"])
    assert kernel.rules.everything
    assert [str(cut.address) for cut in kernel.rules.clients] == ["192.168.1.67"]
    with pytest.raises(UsageError, match=r"192\.168\.1\.66"):
        ask(agent, "off", clients=["192.168.1.66"])


def test_what_the_kernel_refuses_changes_nothing_that_was_ordered(agent, kernel):
    kernel.fails = True
    with pytest.raises(ClocheError, match="nft failed"):
        ask(agent, "on")
    assert Isolations(agent.journal).current() is None
    kernel.fails = False
    ask(agent, "on", clients=["192.168.1.66"])
    kernel.fails = True
    with pytest.raises(ClocheError):
        ask(agent, "on")
    with pytest.raises(ClocheError):
        ask(agent, "off")
    current = Isolations(agent.journal).current()
    assert current is not None
    assert not current.everything
    assert list(current.clients) == ["192.168.1.66"]


def test_it_survives_a_restart_of_the_daemon_and_compaction(home, clock, kernel):
    with build_agent(home, settings(), now=clock) as agent:
        ask(agent, "on", minutes=30)
    with build_agent(home, settings(), now=clock) as agent:
        agent.journal.compact()
        current = Isolations(agent.journal).current()
        assert current is not None
        assert current.until == NOW + timedelta(minutes=30)
        clock.now += timedelta(minutes=10)
        kernel.rules = Rules()  # somebody flushed the rule set
        look_after(agent, clock.now)
        assert (kernel.rules.everything, kernel.rules.seconds) == (True, 1200)
        asked = kernel.asked
        look_after(agent, clock.now)
        assert kernel.asked == asked, "nothing to do, nothing done"
    assert "isolate.back" in recorded(home)


def test_what_ran_out_is_put_away_and_told_once(agent, home, clock, kernel):
    ask(agent, "on", minutes=30)
    ask(agent, "on", clients=["192.168.1.66"])
    clock.now += timedelta(minutes=31)
    assert ask(agent, "status").document["ordered"]["everything"] is False
    look_after(agent, clock.now)
    look_after(agent, clock.now)
    assert not kernel.rules.everything
    assert len(kernel.rules.clients) == 1
    assert recorded(home).count("isolate.ended") == 1
    ask(agent, "off")
    assert Isolations(agent.journal).current() is None


@pytest.mark.parametrize("after_reboot", [False, True])
def test_after_a_reboot_it_comes_back_only_by_choice_and_its_loss_is_told_once(
    home, clock, kernel, monkeypatch, after_reboot
):
    with build_agent(home, settings(after_reboot=after_reboot), now=clock) as agent:
        ask(agent, "on")
        kernel.rules = Rules()
        for module in (carrying, operations):
            monkeypatch.setattr(module, "boot_id", lambda: "another-boot")
        assert ask(agent, "status").exit_code == ExitCode.INCOMPLETE
        for _round in range(3):
            look_after(agent, clock.now)
        assert kernel.rules.everything is after_reboot
        acts = recorded(home)
        assert (acts.count("isolate.back"), acts.count("isolate.lost")) == ((1, 0) if after_reboot else (0, 1))
        document = ask(agent, "status").document
        assert document["as_ordered"] is after_reboot
        assert document["ordered"]["before_reboot"] is not after_reboot


def test_a_cut_between_the_order_and_the_kernel_is_made_good(agent, clock, kernel):
    Isolations(agent.journal).order(Isolation(everything=True, since=NOW, by="测试甲", boot=isolation_state.boot_id()))
    look_after(agent, clock.now)
    assert kernel.rules.everything


def test_who_has_no_role_neither_cuts_nor_looks_and_a_manager_cuts_and_does_not_lift(agent):
    for what in ("on", "off", "status"):
        with pytest.raises(RefusedError):
            ask(agent, what, WAITER)
    ask(agent, "on", MANAGER, minutes=5)
    with pytest.raises(RefusedError):
        ask(agent, "off", MANAGER)


def test_who_works_over_the_network_is_not_locked_out_unless_it_ends_by_itself(agent, kernel):
    session = {"address": "203.0.113.9", "port": "22"}
    with pytest.raises(RefusedError, match="in 203"):
        ask(agent, "on", session=session)
    assert not kernel.rules.everything
    ask(agent, "on", session=session, minutes=10)
    ask(agent, "off")
    ask(agent, "on", session=session, allow=["in 203.0.113.9:22"])
    assert "in 203.0.113.9:22" in [str(entry) for entry in kernel.rules.allowed]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [({"clients": ["127.0.0.1"]}, "--client"), ({"clients": ["no"]}, "--client"), ({"allow": ["0.0.0.0/0"]}, "--allow"),
     ({"minutes": -1}, "--minutes"), ({"minutes": "soon"}, "--minutes"), ({"incident": "I20990101-0000"}, "I2099"),
     ({"minutes": 1e9}, "--minutes"), ({"clients": [f"10.1.{n // 99}.{n % 99 + 1}" for n in range(300)]}, "--client")],
)  # fmt: skip
def test_an_order_that_cannot_be_is_refused_and_nothing_is_cut(agent, kernel, arguments, names):
    with pytest.raises(UsageError, match=names):
        ask(agent, "on", **arguments)
    assert kernel.rules == Rules()


def test_a_wrong_entry_of_the_settings_is_named_by_its_list():
    with pytest.raises(UsageError, match=r"isolate\.payment"):
        list(configured(settings(payment=["nonsense entry"]).isolate))


def test_cameras_go_on_in_both_directions():
    entries = [str(item.entry) for item in configured(settings(cameras=["192.168.1.90"]).isolate)]
    assert entries == ["out 192.168.1.50:9100", "out 192.168.1.90", "in 192.168.1.90"]


def declared(agent, kind):
    declaration = Declaration(kind=kind, summary="演练", discovered_at=NOW, by="测试甲")
    return declare(agent, declaration)


@pytest.mark.parametrize(("kind", "policy", "cut"), [("intrusion", True, True), ("intrusion", False, False),
                                                     ("insider", True, False)])  # fmt: skip
def test_a_declaration_isolates_by_policy_and_kind_only(home, clock, kernel, kind, policy, cut):
    with build_agent(home, settings(on_declare=policy, minutes=60), now=clock) as agent:
        incident = declared(agent, kind)
        assert kernel.rules.everything is cut
        steps = [step.act for step in incidents(agent).get(incident.id).steps]
        assert ("isolate.on" in steps) is cut
        if cut:
            assert kernel.rules.seconds == 3600
            clock.now += timedelta(hours=2)
            look_after(agent, clock.now)
            steps = [step.act for step in incidents(agent).get(incident.id).steps]
            assert steps[-1] == "isolate.ended"


def test_a_declaration_whose_isolation_fails_says_so_and_goes_on(home, clock, kernel):
    kernel.fails = True
    with build_agent(home, settings(on_declare=True), now=clock) as agent:
        incident = declared(agent, "ransomware")
        (failed,) = [step for step in incident.steps if step.act == "isolate.on"]
        assert not failed.ok
        assert "nft failed" in failed.details["reason"]


def test_every_step_of_an_isolation_has_words_in_both_languages():
    for language in LANGUAGES:
        text = Text(language)
        assert "3" in text("isolate.act_on", kept=3, minutes=5, actor="x")
        assert "10.0.0.9" in text("isolate.act_client", clients="10.0.0.9", actor="x")
        for act in ("off", "ended", "back", "lost"):
            assert text(f"isolate.act_{act}", actor="x", clients="")


# connections


@pytest.fixture
def till(tmp_path: Path):
    """A program of the till (a copy of Python) that talks to a printer and is talked to by another till."""
    program = tmp_path / "till"
    program.write_bytes(Path(os.path.realpath(sys.executable)).read_bytes())
    program.chmod(0o755)
    code = (
        "import _socket,sys,time\n"
        "a=_socket.socket(2,1);a.bind(('127.0.0.1',0));a.listen(1);print(a.getsockname()[1],flush=True)\n"
        "b=_socket.socket(2,1);b.connect(('127.0.0.1',int(sys.argv[1])));print('up',flush=True)\n"
        "sys.stdin.read()"
    )
    with socket.create_server(("127.0.0.1", 0)) as printer:
        port = printer.getsockname()[1]
        home = os.path.dirname(os.path.dirname(os.__file__))
        with subprocess.Popen(
            [program, "-S", "-c", code, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"PYTHONHOME": os.path.dirname(home)},
        ) as process:  # fmt: skip
            own = int(process.stdout.readline())
            assert process.stdout.readline() == "up\n"
            yield process, os.fsencode(program), port, own
            process.communicate("")


def test_sockets_are_found_with_the_program_that_holds_them(till):
    process, program, printer, own = till
    mine = [found for found in connections() if found.pid == process.pid]
    assert {found.program for found in mine} == {program}
    assert {(found.state, found.remote_port) for found in mine} == {("established", printer), ("listening", 0)}
    assert own in {found.local_port for found in mine}
    assert not any(found.leaves for found in mine), "loopback leaves nothing"


def a_link(program, local_port, remote, remote_port, state="established", protocol="tcp"):
    import ipaddress

    return Connection(
        protocol=protocol, state=state, local=ipaddress.ip_address("10.0.0.1"), local_port=local_port,
        remote=ipaddress.ip_address(remote), remote_port=remote_port, uid=0, pid=99_999_999, program=program,
    )  # fmt: skip


FOUND = [
    a_link(b"/opt/pos/till", 40_001, "10.0.0.50", 9100),
    a_link(b"/opt/pos/till", 3306, "0.0.0.0", 0, state="listening"),  # noqa: S104  nothing is bound
    a_link(b"/opt/pos/till", 3306, "10.0.0.21", 51_000),
    a_link(b"/usr/sbin/sshd", 22, "203.0.113.9", 50_000),
    a_link(b"/usr/bin/chronyd", 123, "10.0.0.2", 123, state="other", protocol="udp"),
]


def test_what_the_tills_programs_talk_to_is_offered_by_its_direction_and_others_are_not(home, clock):
    with build_agent(
        home, Settings.model_validate({"watch": {"protected_programs": ["/opt/pos/till"]}}), now=clock
    ) as agent:
        offered = offers(agent, FOUND)
        assert [str(offer.entry) for offer in offered] == ["in 10.0.0.21:3306/tcp", "out 10.0.0.50:9100/tcp"]
        assert {offer.program for offer in offered} == {"/opt/pos/till"}
        kept = all_kept(agent, tuple(str(offer.entry) for offer in offered), FOUND)
        assert [str(link.remote) for link in ended_by(kept, FOUND)] == ["203.0.113.9"]
        assert ("out 10.0.0.2:123/udp", "time") in [(str(item.entry), item.why) for item in kept]


# the helper


@pytest.fixture
def helper(home: Home, kernel: Kernel):
    path = home.run / "network.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener, kernel), kwargs={"idle": 0.6, "owner": os.geteuid()})
        thread.start()
        yield path
        thread.join()


def test_the_helper_does_for_the_daemon_what_it_cannot_and_ends_when_idle(helper, home, kernel):
    hand = hand_of(home)
    assert isinstance(hand, HelpersHand)
    from containment.allowlist import parse_allowed

    rules = Rules(everything=True, seconds=60, allowed=(parse_allowed("10.0.0.5:9100"), parse_allowed("a.example.com")))
    assert hand.put_up(rules) == ("a.example.com",)
    assert kernel.rules == rules
    assert hand.look() == Seen(everything=True, seconds=60)
    assert hand.filters() == 0
    hand.take_down()
    assert hand.look() == Seen()


def test_the_helper_hangs_up_on_strangers_and_survives_nonsense(home, kernel):
    path = home.run / "network.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener, kernel), kwargs={"idle": 0.5, "owner": 4_000_000})
        thread.start()
        with pytest.raises(ClocheError, match="does not answer"):
            HelpersHand(str(path)).take_down()
        thread.join()
        thread = threading.Thread(target=serve, args=(listener, kernel), kwargs={"idle": 0.5, "owner": os.geteuid()})
        thread.start()
        for nonsense in (b"", b"\xff" * 9, b"\0\0\0\x02[]", b"\x7f\xff\xff\xff", b"\0\0\0\x05{"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(path))
                connection.sendall(nonsense)
        assert HelpersHand(str(path)).look() == Seen()
        thread.join()


@pytest.mark.parametrize(
    "frame",
    [{}, {"v": 2, "do": "look"}, {"v": 1}, {"v": 1, "do": "run", "command": "sh"}, {"v": 1, "do": "put_up"},
     {"v": 1, "do": "put_up", "rules": {"everything": True, "seconds": None, "own_accounts": [], "clients": [],
                                        "allowed": ["10.0.0.1 accept; flush ruleset"]}}],
)  # fmt: skip
def test_the_helper_refuses_what_is_none_of_its_requests(kernel, frame):
    assert "error" in answer(frame, kernel)
    assert kernel.rules == Rules()


def test_a_service_without_its_helper_never_cuts_an_empty_network(tmp_path, monkeypatch):
    service = Home(settings_file=tmp_path / "c", state=tmp_path / "s", run=tmp_path / "r", is_service=True)
    monkeypatch.setattr("agent.isolation.hand._in_the_machines_network", lambda: False)
    with pytest.raises(RefusedError, match="cloche-network"):
        hand_of(service)
    assert isinstance(hand_of(find_home(tmp_path / "home")), OwnHand)


# the command line, over the kernel's own nftables


@pytest.mark.needs("root", "ip", "nft")
def test_the_command_line_isolates_a_real_network_and_lifts_it(tmp_path):
    name = f"cli{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)

    def within(*command, language="zh-CN"):
        return subprocess.run(
            ["ip", "netns", "exec", name, *command],
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "CLOCHE_HOME": str(tmp_path / "home"), "CLOCHE_STORE__LANGUAGE": language,
                 "CLOCHE_ISOLATE__PRINTERS": '["192.168.1.50:9100"]'},
        )  # fmt: skip

    cloche = os.path.join(os.path.dirname(sys.executable), "cloche")
    try:
        assert within(cloche, "isolate", "on").returncode == ExitCode.REFUSED, "nobody said yes"
        done = within(cloche, "isolate", "on", "--yes", "--minutes", "5", "--reason", "测试")
        assert done.returncode == 0, done.stderr
        assert "网络隔离中" in done.stdout
        assert "192.168.1.50:9100" in done.stdout
        assert "table inet cloche" in within("nft", "list", "tables").stdout
        document = json.loads(within(cloche, "isolate", "status", "--json").stdout)
        assert (document["schema"], document["as_ordered"]) == ("cloche.isolate/1", True)
        assert 200 < document["kernel"]["seconds_left"] <= 300
        assert "Nothing is isolated" in within(cloche, "isolate", "off", "--yes", language="en").stdout
        assert "cloche" not in within("nft", "list", "tables").stdout
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.mark.needs("root", "ip", "nft")
def test_the_helper_as_systemd_starts_it_puts_rules_up_in_the_kernel(tmp_path):
    name, path = f"hlp{os.getpid()}", tmp_path / "network.sock"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(path))
            listener.listen()
            start = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" 3<&{listener.fileno()}'
            helper = subprocess.Popen(
                ["ip", "netns", "exec", name, "bash", "-c", start,
                 os.path.join(os.path.dirname(sys.executable), "cloche-network")],
                pass_fds=(listener.fileno(),), stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                hand = HelpersHand(str(path))
                assert hand.put_up(Rules(everything=True, seconds=300)) == ()
                seen = hand.look()
                assert seen.everything
                assert 200 < (seen.seconds or 0) <= 300
                assert hand.filters() == 0
                hand.take_down()
                assert not hand.look().cuts
            finally:
                helper.kill()
                helper.wait()
        refused = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "cloche-network")], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert "systemd" in refused.stderr
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


def test_doctor_says_whether_this_machine_can_be_isolated(home, tmp_path, monkeypatch):
    from agent import doctor

    monkeypatch.setattr(doctor, "nft_program", lambda: None)
    assert doctor.isolation(home).why == "isolation_no_nft"
    monkeypatch.setattr(doctor, "nft_program", lambda: "/usr/sbin/nft")
    service = Home(settings_file=tmp_path / "c", state=tmp_path / "s", run=tmp_path / "r", is_service=True)
    assert doctor.isolation(service).why == "isolation_no_helper"
    assert doctor.isolation(home).state == ("ok" if os.geteuid() == 0 else "reduced")
