"""Which files a path means: every regular file under it, no link followed, Cloche's own files left out.

Names are taken as the folder lists them; what happens to a file between listing and sealing is caught when it is
sealed (by descriptor, without links), not here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any, Final

from agent.inventory.paths import path_fields
from agent.operation import Request
from agent.sealing.register import SealedRegister
from agent.wiring import Agent
from config.errors import RefusedError, UsageError
from config.home import Home
from containment.places import OWN_PREFIX
from containment.sealed import is_sealed

SYSTEM: Final = tuple(
    b"/" + name
    for name in (b"bin", b"boot", b"dev", b"etc", b"lib", b"lib32", b"lib64", b"proc", b"run", b"sbin", b"sys", b"usr")
)


NOT_SYSTEM: Final = (b"/run/media", b"/usr/local")  # memory sticks; tills are often installed in the other


def is_system(path: bytes) -> bool:
    """Whether the path belongs to the operating system: sealing it would stop the machine, not a leak."""
    if any(is_under(path, folder) for folder in NOT_SYSTEM):
        return False
    return path == b"/" or any(is_under(path, folder) for folder in SYSTEM)


def wanted_paths(agent: Agent, request: Request) -> list[bytes]:
    """The absolute paths of a request.

    Raises:
        UsageError: there is none, or one does not exist or is not absolute.
        RefusedError: a caller who is not the owner names something outside the scanned folders.
    """
    texts = request.arguments.get("paths") or []
    if not texts:
        raise UsageError("no path was given")
    paths = [os.path.normpath(os.fsencode(str(text))) for text in texts]
    roots = [os.fsencode(root) for root in agent.settings.scan.roots]
    for path in paths:
        if not path.startswith(b"/") or not os.path.lexists(path):
            raise UsageError(agent.text("cli.missing_path", path=path.decode("utf-8", "backslashreplace")))
        if not request.caller.is_owner and not any(is_under(path, root) for root in roots):
            raise RefusedError(agent.text("cli.outside_roots", user=request.caller.user))
    return paths


def is_under(path: bytes, folder: bytes) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def files_under(path: bytes, home: Home) -> Iterator[tuple[bytes, bool]]:
    """Every file under `path` (or itself), sorted within its folder, and whether it is a regular one.

    Links below `path` are neither followed nor listed: what they point to has a name of its own. Raises nothing: a
    folder that can't be listed comes as itself, not regular, so that it is named.
    """
    own = (os.fsencode(home.state), os.fsencode(home.run))
    if any(is_under(path, folder) for folder in own):
        return
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        yield path, False
        return
    if not stat.S_ISDIR(mode):
        yield path, stat.S_ISREG(mode)
        return
    try:
        names = sorted(os.listdir(path))
    except OSError:
        yield path, False
        return
    for name in names:
        inner = os.path.join(path, name)
        if not name.startswith(OWN_PREFIX) and not os.path.islink(inner):
            yield from files_under(inner, home)


def looks_sealed(path: bytes) -> bool:
    """Whether the regular file begins as a sealed one; False where it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return is_sealed(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def sealed_files(agent: Agent) -> list[bytes]:
    """Every sealed file on the register or in this store's roots and vault, each once; those gone are struck off."""
    register = SealedRegister(agent.inventory.sessions)
    listed = register.sealed_paths()
    found = {path: None for path in listed if looks_sealed(path)}
    register.remove(path for path in listed if not os.path.lexists(path))
    for root in agent.settings.scan.roots:
        found |= {
            path: None for path, regular in files_under(os.fsencode(root), agent.home) if regular and looks_sealed(path)
        }
    for base, _folders, names in os.walk(os.fsencode(agent.home.vault)):
        found |= {path: None for name in names if looks_sealed(path := os.path.join(base, name))}
    return list(found)


def shown(path: bytes, key: str = "path") -> dict[str, Any]:
    """A path in a document: text, and its bytes in base64 beside it where it is no UTF-8."""
    return {name.replace("path", key, 1): value for name, value in path_fields(path).items()}
