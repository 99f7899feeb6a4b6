"""What this machine is like, read and never changed: firewall, programs, mounts, shares, updates, clock.

Each answer says where it was read; None means that it cannot be known from here (no right, no such file), which is
never taken for good. A firewall in the router, or a backup in a device, is out of sight: people attest those.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final

from config.packs import read_pack

SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
SECONDS: Final = 10.0
UNITS: Final = (
    "etc/systemd/system",
    "lib/systemd/system",
    "usr/lib/systemd/system",
    "run/systemd/system",
    "etc/init.d",
)
SCHEDULES: Final = ("etc/crontab", "etc/cron.d", "etc/cron.daily", "etc/cron.weekly", "var/spool/cron/crontabs")
_STA_UNSYNC: Final = 0x0040
_NFT_INPUT: Final = re.compile(r"hook input[^;]*;\s*policy (drop|accept)")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A program that was seen: its product, and where (`process`, `unit`, `schedule`)."""

    product: str
    name: str
    where: str


@cache
def known_programs(kind: str) -> Mapping[str, str]:
    """Base name in small letters → product, of one table of `config/data/assess/programs.toml`."""
    table = read_pack("assess", "programs.toml")[kind]
    return {name.lower(): product for product, names in table.items() for name in names}


def run(command: Iterable[str]) -> str | None:
    """Output of a fixed program; None where it is absent, fails or takes too long."""
    program, *arguments = command
    found = shutil.which(program, path=SBIN)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, *arguments], capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
            env={"PATH": SBIN, "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def this_machine() -> Machine:
    """The one that runs this program."""
    return Machine()


class Machine:
    """This machine, or a tree that looks like one (`root`). Asked anew at each assessment."""

    def __init__(self, root: Path = Path("/"), run: Callable[[Iterable[str]], str | None] = run) -> None:
        """Read files under `root` and ask programs through `run`."""
        self.root = root
        self._run = run
        self._crypt: dict[str, bool] = {}

    @property
    def is_this(self) -> bool:
        """The running machine itself: its kernel may be asked too."""
        return self.root == Path("/")

    def read(self, name: str) -> str | None:
        """A regular file's text, of a megabyte at most; None where it cannot be read.

        Some of these folders are other people's to write: a pipe in one must not hold the daemon.
        """
        try:
            descriptor = os.open(self.root / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode) and not name.startswith("proc/"):
                    return None
                return file.read(1 << 20).decode("utf-8", "replace")
        except OSError:
            return None

    # Programs

    @cached_property
    def processes(self) -> frozenset[str]:
        """Base names of running programs in small letters, by executable and by command name."""
        names: set[str] = set()
        for folder in (self.root / "proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it ended, or is another account's
                names.add((folder / "comm").read_bytes().decode("utf-8", "replace").strip().lower())
                program = os.readlink(folder / "exe").removesuffix(" (deleted)")
                names.add(os.path.basename(program).lower())
        return frozenset(names - {""})

    def programs(self, kind: str) -> tuple[Seen, ...]:
        """Known programs of a kind that run, or that a unit or a schedule would start; each product once."""
        known = known_programs(kind)
        found: dict[str, Seen] = {}
        for name in sorted(self.processes & known.keys()):
            found.setdefault(known[name], Seen(product=known[name], name=name, where="process"))
        for where, folders in (("unit", UNITS), ("schedule", SCHEDULES)):
            for path, text in self._texts(folders):
                for word in re.findall(r"[\w.+-]+", f"{path.stem} {text}"):
                    product = known.get(word.lower())
                    if product:
                        found.setdefault(product, Seen(product=product, name=path.name, where=where))
        return tuple(found.values())

    def _texts(self, folders: Iterable[str]) -> Iterator[tuple[Path, str]]:
        """Files of these folders with the lines that start programs; masked units (links to /dev/null) are none."""
        for folder in folders:
            place = self.root / folder
            try:
                paths = [place] if place.is_file() else sorted(place.iterdir())
            except OSError:
                continue
            for path in paths:
                if not path.is_file() or path.suffix in (".wants", ".d"):
                    continue
                text = self.read(str(path.relative_to(self.root))) or ""
                lines = (line for line in text.splitlines() if line.startswith("ExecStart") or path.suffix == "")
                yield path, "\n".join(line for line in lines if not line.lstrip().startswith("#"))

    # Network

    def firewall(self) -> tuple[bool | None, str]:
        """Whether something filters what comes in, and by what: `nft`, `iptables`, `ufw`, `firewalld` or `none`.

        None: no rules can be read from here.
        """
        ruleset = self._run(("nft", "list", "ruleset"))
        if ruleset:
            for chain in ruleset.split("chain ")[1:]:
                policy = _NFT_INPUT.search(chain)
                if policy and (policy[1] == "drop" or re.search(r"\b(drop|reject)\b", chain.partition("policy")[2])):
                    return True, "nft"
        rules = self._run(("iptables-save", "-t", "filter"))
        if rules and re.search(r"^:INPUT DROP|^-A INPUT .*-j (DROP|REJECT)", rules, re.MULTILINE):
            return True, "iptables"
        if re.search(r"^ENABLED=yes", self.read("etc/ufw/ufw.conf") or "", re.MULTILINE):
            return True, "ufw"
        if (self.root / "run/firewalld.pid").exists() or "firewalld" in self.processes:
            return True, "firewalld"
        return (None, "none") if ruleset is None and rules is None else (False, "none")

    def shares(self) -> tuple[tuple[str, bytes], ...]:
        """Folders that others reach over the network: Samba's shares and NFS exports, by name and path."""
        found: list[tuple[str, bytes]] = []
        texts = [self.read("etc/samba/smb.conf") or ""]
        usershares = self.root / "var/lib/samba/usershares"
        if usershares.is_dir():
            texts += [self.read(str(path.relative_to(self.root))) or "" for path in sorted(usershares.iterdir())]
        for text in texts:
            section = ""
            for line in text.splitlines():
                if header := re.match(r"\s*\[(.+)\]", line):
                    section = header[1]
                elif (option := re.match(r"\s*(?:path|directory)\s*=\s*(.+?)\s*$", line, re.IGNORECASE)) and (
                    option[1].startswith("/")
                ):
                    found.append((section or "share", os.fsencode(option[1])))
        exports = (self.read("etc/exports") or "").splitlines()
        nfs = [("nfs", os.fsencode(line.split()[0])) for line in exports if line.startswith("/")]
        return (*found, *nfs)

    # Disks

    def removable(self) -> tuple[bytes, ...]:
        """Mount points of media that can be carried away: the kernel's removable flag, or under a media folder."""
        found = []
        for line in (self.read("proc/self/mountinfo") or "").splitlines():
            fields = line.split(" ")
            if len(fields) < 5:
                continue
            point = fields[4].encode().decode("unicode_escape").encode("latin-1")  # \040 is a blank
            if point.startswith((b"/media/", b"/run/media/")) or self._is_removable(fields[2]):
                found.append(point)
        return tuple(found)

    def _is_removable(self, device: str) -> bool:
        block = self.root / "sys/dev/block" / device
        for place in (block / "removable", block.resolve().parent / "removable"):
            try:
                return place.read_text().strip() == "1"
            except OSError:
                continue
        return False

    # Software and time

    def packages_age(self, now: float) -> float | None:
        """Days since the package lists were last brought up to date; None where there is no apt."""
        for name in ("var/lib/apt/periodic/update-success-stamp", "var/lib/apt/lists"):
            try:
                return max(now - (self.root / name).stat().st_mtime, 0.0) / 86_400
            except OSError:
                continue
        return None

    def pending_updates(self) -> tuple[int, int] | None:
        """How many packages could be newer by the lists at hand, and how many of them for security; None: no apt."""
        answer = self._run(("nice", "-n", "19", "apt-get", "-s", "-o", "Debug::NoLocking=true", "upgrade"))
        if answer is None:
            return None
        lines = [line for line in answer.splitlines() if line.startswith("Inst ")]
        return len(lines), sum("-security" in line.lower() or "debian-sec" in line.lower() for line in lines)

    def clock_synchronised(self) -> bool | None:
        """By the kernel's word (adjtimex(2), STA_UNSYNC); None where it does not say."""
        buffer = ctypes.create_string_buffer(256)  # struct timex, `modes` 0: read only
        library = ctypes.CDLL(None, use_errno=True)
        if library.adjtimex(buffer) < 0:
            return None
        status_at = 40 if ctypes.sizeof(ctypes.c_long) == 8 else 20
        return not ctypes.c_int.from_buffer(buffer, status_at).value & _STA_UNSYNC

    def is_encrypted(self, path: bytes) -> bool:
        """Whether a file lies on a volume that dm-crypt encrypts, also under LVM; False where nobody can say."""
        try:
            device = os.stat(path).st_dev
        except OSError:
            return False
        return self._is_crypt(f"{os.major(device)}:{os.minor(device)}")

    def _is_crypt(self, device: str) -> bool:
        known = self._crypt.get(device)
        if known is None:
            self._crypt[device] = False
            block = self.root / "sys/dev/block" / device
            with contextlib.suppress(OSError):
                known = (block / "dm/uuid").read_text().startswith("CRYPT-")
            if not known:
                with contextlib.suppress(OSError):
                    known = any(
                        self._is_crypt((slave / "dev").read_text().strip()) for slave in (block / "slaves").iterdir()
                    )
            self._crypt[device] = known = bool(known)
        return known
