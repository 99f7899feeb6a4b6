"""Shut a drill in, by the kernel's word: it reads programs and its own folder, writes its own folder, and nothing else.

Landlock (landlock(7), Linux 5.13; TCP since ABI 4, signals since ABI 6) binds this process and all that it starts, and
cannot be taken back. As root the drill also gets a network namespace of its own, in which there is nothing but its own
loopback. So it cannot open a store's real files, the real home or its secrets, stop a real process, or reach anybody.

Not given: programs under `/usr` stay readable, so a store that keeps customers' files there is named as `exposed`; a
kernel without Landlock leaves the checks of `agent.drill.enclosure` alone, which the result says.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from config.privileges import leave_network, no_new_privileges

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION: Final = 1
_RULE_PATH: Final = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
_EVERYTHING: Final = ((1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
"""Rights on files by ABI 1 to 5: REFER came with 2, TRUNCATE with 3, IOCTL_DEV with 5."""
_TCP: Final = 3
_SCOPES: Final = 3  # abstract sockets and signals
_LOOK: Final = READ_FILE | READ_DIR
_RUN: Final = _LOOK | EXECUTE
PROGRAMS: Final = (
    "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/share", "/usr/local/lib",
    "/usr/local/bin", "/usr/local/sbin", "/usr/local/share", "/bin", "/sbin", "/lib", "/lib64",
)  # fmt: skip
FACTS: Final = (
    "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts",
    "/etc/alternatives", "/etc/os-release", "/etc/debian_version", "/etc/machine-id", "/proc", "/sys", "/dev/disk",
)  # fmt: skip
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1

Files = Literal["kernel", "checks"]
Network = Literal["namespace", "no_tcp", "checks"]


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What keeps a drill in. `exposed` are real folders that the kernel lets it read all the same."""

    files: Files
    network: Network
    exposed: tuple[str, ...] = ()


def confine(folder: Path, real: Sequence[str]) -> Confinement:
    """Shut this process in `folder`, for good.

    Args:
        folder: all that it may write.
        real: the store's real folders and the real home: none of them may be readable.

    Raises:
        OSError: the kernel has Landlock and refuses a step; then nothing may go on.
    """
    alone = os.geteuid() == 0 and leave_network()
    if alone:
        _loopback_up()
    abi = _abi()
    if abi < 1:
        return Confinement(files="checks", network="namespace" if alone else "checks")
    allowed = _shut_in(folder, abi, tcp=alone)
    exposed = tuple(path for path in real if any(_is_under(path, place) for place in allowed))
    network: Network = "namespace" if alone else "no_tcp" if abi >= 4 else "checks"
    return Confinement(files="kernel", network=network, exposed=exposed)


def _shut_in(folder: Path, abi: int, *, tcp: bool) -> list[str]:
    """Restrict this process; the places that it may read. `tcp`: where nobody is there to be reached."""
    everything = _EVERYTHING[min(abi, len(_EVERYTHING)) - 1]
    attributes = struct.pack("QQQ", everything, _TCP if abi >= 4 and not tcp else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _syscall(_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    places: list[str] = []
    try:
        for paths, rights in (
            ((*PROGRAMS, *_python()), _RUN), (FACTS, _LOOK), (DEVICES, READ_FILE | WRITE_FILE),
            (_checkout(), READ_DIR), ((str(folder),), everything),
        ):  # fmt: skip
            places += [path for path in paths if _allow(ruleset, path, rights & everything) and rights & READ_FILE]
        no_new_privileges()
        _syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return places


def _python() -> Iterable[str]:
    """The interpreter, its libraries, and our packages wherever they are installed."""
    yield sys.prefix
    yield os.path.join(sys.base_prefix, "lib")
    yield os.path.join(sys.base_prefix, "bin")
    root = Path(__file__).resolve().parents[2]
    for name in ("agent", "scanners", "containment", "config", "central"):
        yield str(root / name)


def _checkout() -> Iterable[str]:
    """Where our packages lie side by side: the import system lists that folder."""
    yield str(Path(__file__).resolve().parents[2])


def _allow(ruleset: int, path: str, rights: int) -> bool:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not os.path.isdir(path):
            rights &= EXECUTE | WRITE_FILE | READ_FILE
        rule = struct.pack("=Qi", rights, descriptor)
        _syscall(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_RULE_PATH), ctypes.c_char_p(rule), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)
    return True


def _abi() -> int:
    """The kernel's Landlock ABI; 0 where there is none."""
    try:
        return _syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return 0


def _syscall(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _is_under(path: str, place: str) -> bool:
    real, within = os.path.realpath(path), os.path.realpath(place)
    return real == within or real.startswith(within.rstrip("/") + "/")


def _loopback_up() -> None:
    """Samba and its client talk over it; a daemon without CAP_NET_ADMIN does without both."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        try:
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
        except OSError:
            return
