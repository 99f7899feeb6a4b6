"""Questions of the daemon to head office, carried by the link: the daemon has no network.

In `outbox/errands` (ours to write, 0750, group `cloche-link`) lies a signed request, one a name; the link posts it and
writes what came back into `outbox/answers` (its own, 0700). An answer is hostile: bounded, matched with the request by
a random id, and whatever it says is checked by who asked. Limit: a link that keeps an answer back keeps it back.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.link.letters import read_bounded, write_whole
from agent.link.outbox import link_owner
from central.wire import encode, group_key_message, renew_message
from config.errors import ClocheError

if TYPE_CHECKING:
    from agent.wiring import Agent

ERRANDS: Final = "errands"
ANSWERS: Final = "answers"
SCHEMA: Final = "cloche.errand/1"
ANSWER_SCHEMA: Final = "cloche.errand-answer/1"
NAME: Final = re.compile(r"errand-([a-z][a-z-]{0,30})\.json")
MAX_ERRAND: Final = 65_536
MAX_ANSWER: Final = 131_072
CONTEXTS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "/v1/renew": renew_message,
    "/v1/group-key": group_key_message,
}
"""Where an errand may go, and what the store's key signs for it: a closed list, at both ends."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


def ask(agent: Agent, name: str, path: str, body: Mapping[str, Any]) -> None:
    """Put a signed request for the link; one of the same name that is still there, and its answer, are replaced.

    Raises:
        ClocheError: the disk refused it.
    """
    content = json.dumps(body, ensure_ascii=False).encode()
    document = {
        "schema": SCHEMA, "id": secrets.token_hex(12), "path": path, "body": encode(content),
        "signature": encode(agent.keyring.sign(CONTEXTS[path](content))),
    }  # fmt: skip
    outbox = agent.home.outbox
    try:
        prepare(outbox)
        with _opened(outbox / ERRANDS) as folder:
            gid = link_owner()[1]
            write_whole(folder, f"errand-{name}.json", json.dumps(document).encode(), mode=0o640, group=gid)
    except OSError as error:
        raise ClocheError(f"{outbox / ERRANDS}: cannot be written: {error.strerror}") from error
    _drop(outbox / ANSWERS, f"answer-{name}.json")


def answer(agent: Agent, name: str) -> dict[str, Any] | None:
    """Head office's answer, once; a refusal is `{"error": word, "status": number}`. None while there is none.

    The request is gone with its answer.
    """
    outbox = agent.home.outbox
    request = _read(outbox / ERRANDS, f"errand-{name}.json", MAX_ERRAND)
    said = _read(outbox / ANSWERS, f"answer-{name}.json", MAX_ANSWER)
    if said is None:
        return None
    _drop(outbox / ANSWERS, f"answer-{name}.json")
    if request is None or said.get("id") != request.get("id"):
        return None
    _drop(outbox / ERRANDS, f"errand-{name}.json")
    status, document = said.get("status"), said.get("document")
    if status == 200 and isinstance(document, dict):
        return document
    word = document.get("error") if isinstance(document, dict) else None
    return {"error": word if isinstance(word, str) else "", "status": status if isinstance(status, int) else 0}


def is_waiting(agent: Agent, name: str) -> bool:
    """Whether a request of this name has no answer yet."""
    return (agent.home.outbox / ERRANDS / f"errand-{name}.json").exists()


def has_answers(outbox: Path) -> bool:
    """Whether the link has brought something."""
    with contextlib.suppress(OSError):
        return any(name.startswith("answer-") for name in os.listdir(outbox / ANSWERS))
    return False


def prepare(outbox: Path) -> None:
    """Make the two folders.

    Raises:
        OSError: they cannot be made.
    """
    uid, gid = link_owner()
    for name, owner, mode in ((ERRANDS, (-1, gid), 0o750), (ANSWERS, (uid, gid), 0o700)):
        (outbox / name).mkdir(mode=mode, exist_ok=True)
        with _opened(outbox / name) as folder:
            os.fchown(folder, *owner)
            os.fchmod(folder, mode)


@contextlib.contextmanager
def _opened(folder: Path) -> Any:
    descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: Path, name: str, most: int) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError, RecursionError), _opened(folder) as descriptor:
        content = read_bounded(descriptor, name, most)
        document = json.loads(content) if content is not None else None
        return document if isinstance(document, dict) else None
    return None


def _drop(folder: Path, name: str) -> None:
    with contextlib.suppress(OSError), _opened(folder) as descriptor:
        os.unlink(name, dir_fd=descriptor)
