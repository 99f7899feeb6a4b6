"""Isolation in real network namespaces: this machine, a printer, a thief's machine and a till, over veth pairs."""

import ipaddress
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import UsageError
from containment.allowlist import covers, looked_up, parse_allowed, parse_client
from containment.network import Cut, Rules, render, rules_of

STORE, PRINTER, THIEF = "10.77.0.1", "10.77.0.50", "10.77.0.66"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Net:
    """A store's machine and two others on one bridge, each in a namespace of its own."""

    name: str

    def run(self, who: str, *command: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ip", "netns", "exec", f"{self.name}{who}", *command], capture_output=True, text=True, timeout=60,
            check=False, **options,
        )  # type: ignore[call-overload, no-any-return]  # fmt: skip

    def start(self, who: str, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["ip", "netns", "exec", f"{self.name}{who}", *command], stdout=subprocess.PIPE, stdin=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def python(self, who: str, code: str) -> str:
        """Run code over our packages in a namespace; its output."""
        done = self.run(who, sys.executable, "-c", textwrap.dedent(code), env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def reaches(self, who: str, address: str, port: int) -> str:
        """`yes`, or the name of the error, of a TCP connection within 0.3 s."""
        return self.python(
            who,
            f"""
            import socket
            try:
                socket.create_connection(("{address}", {port}), 0.3).close()
                print("yes")
            except OSError as error:
                print(type(error).__name__)
        """,
        )

    def put_up(self, rules: str) -> None:
        self.python(
            "s",
            f"""
            import ipaddress
            from containment.allowlist import parse_allowed
            from containment.network import Cut, Rules, put_up
            put_up({rules})
        """,
        )

    def look(self) -> str:
        return self.python("s", "from containment.network import look; print(look())")


SERVER = """
import socket, sys, threading
def serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection,), daemon=True).start()
def talk(connection):
    while data := connection.recv(100):
        connection.sendall(data)
listeners = [socket.create_server(("", int(port))) for port in sys.argv[1:]]
for listener in listeners:
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def net() -> Iterator[Net]:
    found = Net(f"clo{os.getpid()}")
    made = []
    servers = []
    try:
        for who in ("s", "p", "t", "b"):
            done = subprocess.run(["ip", "netns", "add", f"{found.name}{who}"], capture_output=True, check=False)
            if done.returncode:
                pytest.skip("absent: network namespaces")
            made.append(f"{found.name}{who}")
        found.run("b", "ip", "link", "add", "br0", "type", "bridge")
        found.run("b", "ip", "link", "set", "br0", "up")
        for who, address in (("s", STORE), ("p", PRINTER), ("t", THIEF)):
            found.run(
                "b", "ip", "link", "add", f"v{who}", "type", "veth", "peer", "name", "e0", "netns", f"{found.name}{who}"
            )
            found.run("b", "ip", "link", "set", f"v{who}", "master", "br0", "up")
            for command in (
                ("addr", "add", f"{address}/24", "dev", "e0"),
                ("link", "set", "e0", "up"),
                ("link", "set", "lo", "up"),
            ):
                found.run(who, "ip", *command)
        for who, ports in (("s", ("3306", "22")), ("p", ("9100", "80")), ("t", ("443",))):
            server = found.start(who, sys.executable, "-c", SERVER, *ports)
            servers.append(server)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        yield found
    finally:
        for server in servers:
            server.communicate("", timeout=10)
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False)


needs_net = pytest.mark.needs("root", "ip", "nft")
PRINTING = f'parse_allowed("{PRINTER}:9100")'


@needs_net
def test_all_is_cut_but_loopback_and_what_is_allowed_and_a_printer_opens_nothing(net: Net) -> None:
    assert net.reaches("s", THIEF, 443) == net.reaches("t", STORE, 3306) == "yes"
    net.put_up(f"Rules(everything=True, allowed=({PRINTING},))")
    assert net.reaches("s", PRINTER, 9100) == "yes"
    assert net.reaches("s", "127.0.0.1", 3306) == "yes"
    assert net.reaches("s", PRINTER, 80) == "ConnectionRefusedError", "a program is told at once, a till does not hang"
    assert net.reaches("s", THIEF, 443) == "ConnectionRefusedError"
    assert net.reaches("t", STORE, 3306) == net.reaches("t", STORE, 22) == "TimeoutError"
    assert net.reaches("p", STORE, 3306) == "TimeoutError", "an allowed printer opens nothing here"
    assert "everything=True" in net.look()
    net.python("s", "from containment.network import take_down; take_down(); take_down()")
    assert net.reaches("s", THIEF, 443) == net.reaches("t", STORE, 3306) == "yes"
    assert "everything=False" in net.look()


@needs_net
def test_connections_that_exist_are_cut_and_those_of_the_till_go_on(net: Net) -> None:
    client = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
connection.settimeout(1)
print("ready", flush=True)
for _line in sys.stdin:
    try:
        connection.sendall(b"x")
        print("yes" if connection.recv(10) else "end", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
    talks = {
        "printing": net.start("s", sys.executable, "-c", client, PRINTER, "9100"),
        "stealing": net.start("s", sys.executable, "-c", client, THIEF, "443"),
        "till": net.start("p", sys.executable, "-c", client, STORE, "3306"),
        "intruder": net.start("t", sys.executable, "-c", client, STORE, "22"),
    }

    def says(name: str) -> str:
        process = talks[name]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    try:
        for process in talks.values():
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        assert {name: says(name) for name in talks} == dict.fromkeys(talks, "yes")
        net.put_up(f'Rules(everything=True, allowed=({PRINTING}, parse_allowed("in {PRINTER}:3306")))')
        assert says("printing") == says("till") == "yes"
        assert says("stealing") in ("ConnectionResetError", "end", "ConnectionRefusedError", "TimeoutError")
        assert says("intruder") == "TimeoutError"
    finally:
        for process in talks.values():
            process.communicate("", timeout=10)


@needs_net
def test_one_client_is_cut_alone_and_the_kernel_itself_lets_it_in_again(net: Net) -> None:
    net.put_up(f'Rules(clients=(Cut(address=ipaddress.ip_address("{THIEF}"), seconds=2),))')
    assert net.reaches("t", STORE, 3306) == "TimeoutError"
    assert net.reaches("s", THIEF, 443) == "ConnectionRefusedError"
    assert net.reaches("p", STORE, 3306) == net.reaches("s", PRINTER, 9100) == "yes"
    end = time.monotonic() + 8
    while net.reaches("t", STORE, 3306) != "yes":
        assert time.monotonic() < end, "nobody of ours runs: the kernel's own timer ends it"
    assert "clients=()" in net.look()


@needs_net
def test_an_isolation_with_a_time_ends_by_the_kernels_own_timer(net: Net) -> None:
    net.put_up("Rules(everything=True, seconds=2)")
    assert net.reaches("t", STORE, 3306) == "TimeoutError"
    end = time.monotonic() + 8
    while net.reaches("t", STORE, 3306) != "yes":
        assert time.monotonic() < end


@needs_net
def test_the_links_account_goes_on_talking_and_nobody_else(net: Net) -> None:
    net.put_up("Rules(everything=True, own_accounts=(65534,))")
    as_link = f"""
        import os, socket
        os.setgid(65534); os.setuid(65534)
        connection = socket.socket()
        connection.settimeout(2)
        connection.connect(("{THIEF}", 443))
        connection.sendall(b"x"); print(connection.recv(5))
    """
    assert net.python("s", as_link) == "b'x'"
    assert net.reaches("s", THIEF, 443) == "ConnectionRefusedError"


@needs_net
def test_other_firewalls_stand_untouched_and_still_refuse_what_ours_lets_through(net: Net) -> None:
    theirs = "table inet shop {\nchain arrivals {\ntype filter hook input priority 0\ntcp dport 3306 drop\n}\n}\n"
    assert net.run("s", "nft", "-f", "-", input=theirs).returncode == 0
    before = net.run("s", "nft", "list", "table", "inet", "shop").stdout
    net.put_up(
        f'Rules(everything=True, allowed=(parse_allowed("in {PRINTER}:3306"), parse_allowed("in {PRINTER}:22")))'
    )
    assert net.reaches("p", STORE, 3306) == "TimeoutError"
    assert net.reaches("p", STORE, 22) == "yes"
    assert net.python("s", "from containment.network import filters; print(filters())") == "1"
    net.python("s", "from containment.network import take_down; take_down()")
    assert net.run("s", "nft", "list", "table", "inet", "shop").stdout == before


@needs_net
def test_what_the_kernel_refuses_leaves_the_rules_from_before(net: Net) -> None:
    net.put_up("Rules(everything=True)")
    before = net.run("s", "nft", "list", "table", "inet", "cloche").stdout
    output = net.python(
        "s",
        """
        from containment import network
        from config.errors import ClocheError
        try:
            network._nft("-f", "-", script=network.render(network.Rules()) + "table inet cloche { nonsense }")
        except ClocheError as error:
            print("refused")
    """,
    )
    assert output == "refused"
    assert net.run("s", "nft", "list", "table", "inet", "cloche").stdout == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [("192.168.1.50:9100", "out 192.168.1.50:9100"), (" 192.168.1.50 ", "out 192.168.1.50"),
     ("192.168.1.77/24:3306/tcp", "out 192.168.1.0/24:3306/tcp"), ("in 10.0.0.9:22", "in 10.0.0.9:22"),
     ("[2001:db8::1]:443", "out [2001:db8::1]:443"), ("2001:db8::1", "out 2001:db8::1"),
     ("[2001:db8::/32]:443/udp", "out [2001:db8::/32]:443/udp"), ("Pay.Example.com:443", "out pay.example.com:443")],
)  # fmt: skip
def test_entries_are_read_as_people_write_them_and_written_so_that_they_are_read_again(text: str, shown: str) -> None:
    entry = parse_allowed(text)
    assert str(entry) == shown
    assert parse_allowed(str(entry)) == entry


@pytest.mark.parametrize(
    "text",
    ["", "0.0.0.0/0", "::/0", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4/99", "host name", "a;b.example.com", "224.0.0.1",
     "1.2.3.4; drop", "0.0.0.0",  # noqa: S104  nothing is bound
     "-x.example.com", "1.2.3.4:80/icmp", "x" * 400, '"', "10.0.0.1}", "8.0.0.0/7"],
)  # fmt: skip
def test_an_entry_that_is_none_or_lets_nearly_everything_through_is_refused_by_its_list(text: str) -> None:
    with pytest.raises(UsageError, match=r"isolate\.payment"):
        parse_allowed(text, where="isolate.payment")


@given(st.text(max_size=40))
def test_no_text_of_an_entry_reaches_nft_but_as_an_address_and_a_number(text: str) -> None:
    try:
        entry = parse_allowed(text)
    except UsageError:
        return
    if entry.network is None:
        with pytest.raises(UsageError):
            render(Rules(everything=True, allowed=(entry,)))
        return
    bare = set(render(Rules(everything=True)).split())
    for word in set(render(Rules(everything=True, allowed=(entry,))).split()) - bare:
        with suppress(ValueError):
            int(word)
            continue
        assert word in ("ip", "ip6", "dport", "sport", "tcp", "udp", "meta", "l4proto", "!=", "saddr", "daddr", "flags",
                        "&", "(syn", "|", "ack)", "syn") or ipaddress.ip_network(word)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "::1", "0.0.0.0", "224.0.0.5", "255.255.255.255", "till-3", "10.0.0.0/24", ""],  # noqa: S104  nothing is bound
)
def test_what_is_never_cut_off_alone_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--client"):
        parse_client(text)


def test_a_mapped_address_is_the_client_it_means() -> None:
    assert str(parse_client("::ffff:10.0.0.9")) == "10.0.0.9"


@pytest.mark.parametrize(
    "change",
    [{"everything": "yes"}, {"seconds": 0}, {"seconds": True}, {"seconds": 1e9}, {"seconds": "60"},
     {"allowed": ["0.0.0.0/0"]}, {"allowed": ["1.2.3.4 accept; drop"]}, {"allowed": 5}, {"clients": [{"address": "x"}]},
     {"clients": ["10.0.0.1"]}, {"own_accounts": ["root"]}, {"own_accounts": [-1]}, {"allowed": ["10.0.0.1"] * 600}],
)  # fmt: skip
def test_rules_from_a_socket_are_checked_part_by_part(change: dict[str, object]) -> None:
    good = Rules(
        everything=True, seconds=60, allowed=(parse_allowed("10.0.0.5:9100"),), own_accounts=(7,),
        clients=(Cut(address=ipaddress.ip_address("10.0.0.9")),),
    )  # fmt: skip
    assert rules_of(good.document()) == good
    with pytest.raises(UsageError):
        rules_of({**good.document(), **change})
    for nonsense in (None, [], "rules", {}):
        with pytest.raises(UsageError):
            rules_of(nonsense)


def test_a_name_is_looked_up_and_one_that_nobody_knows_is_named_within_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow_or_known(name: str, *_rest: object, **_options: object) -> list[object]:
        if name == "slow.example.com":
            time.sleep(1.5)
        if name != "pay.example.com":
            raise socket.gaierror(name)
        return [(2, 1, 6, "", ("203.0.113.9", 0)), (10, 1, 6, "", ("fe80::1%eth0", 0, 0, 2))]

    monkeypatch.setattr(socket, "getaddrinfo", slow_or_known)
    wanted = [parse_allowed(text) for text in ("pay.example.com:443", "10.0.0.5", "slow.example.com", "no.example.com")]
    started = time.monotonic()
    settled, unknown = looked_up(wanted, seconds=0.5)
    assert time.monotonic() - started < 1.2
    assert unknown == ("no.example.com", "slow.example.com")
    assert [str(entry) for entry in settled] == ["out 10.0.0.5", "out 203.0.113.9:443", "out [fe80::1]:443"]


def test_what_an_entry_covers_goes_by_direction_port_and_address() -> None:
    entries = [parse_allowed("10.0.0.0/24:9100"), parse_allowed("in 10.0.0.7")]
    printer, till = ipaddress.ip_address("10.0.0.5"), ipaddress.ip_address("10.0.0.7")
    assert covers(entries, printer, 9100, "out")
    assert not covers(entries, printer, 80, "out")
    assert not covers(entries, printer, 9100, "in")
    assert covers(entries, till, 3306, "in")
    assert not covers(entries, ipaddress.ip_address("2001:db8::1"), 9100, "out")
