"""After a cut: bring every file that was being sealed or brought back to one whole form.

Nothing is decrypted: there is no key then. What the journal recorded as verified is compared by SHA-256. Before
`committed` an act is undone, after it the act is finished. A name is taken away only where the recorded file is
behind it. Acts whose folder can't be reached (not mounted yet) stay pending and are reported.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from config.errors import CorruptError
from containment.atomic import rename_exclusive
from containment.journal import DONE, Act, Journal, path_bytes
from containment.lease import take_lease
from containment.places import OWN_PREFIX, Place, Places, opened
from containment.sealed import digest

SEAL: Final = "seal"
UNSEAL: Final = "unseal"
Outcome = Literal["undone", "finished", "unreachable"]


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What became of an act: `undone` (as before), `finished` (as intended) or `unreachable` (still pending)."""

    kind: str
    outcome: Outcome
    paths: tuple[bytes, ...]
    sealed_paths: tuple[bytes, ...]


def recover(journal: Journal) -> list[Recovered]:
    """Finish or undo everything that was cut. Run it at the start, before anything is sealed.

    Raises:
        OSError: the journal itself can't be read or written.
    """
    results = []
    for act in journal.pending(SEAL, UNSEAL):
        try:
            outcome: Outcome = undo_or_finish(journal, act)
        except OSError:
            outcome = "unreachable"
        results.append(
            Recovered(
                kind=act.kind,
                outcome=outcome,
                paths=_paths(act, "names"),
                sealed_paths=_paths(act, "sealed"),
            )
        )
    journal.compact()
    return results


def undo_or_finish(journal: Journal, act: Act) -> Outcome:
    """Do what the steps on record ask for, then record `done`. May be cut and run again.

    Raises:
        OSError: a folder can't be reached, or the disk fails: the act stays pending.
    """
    if act.step == DONE:
        return "finished"
    with Places() as places:
        names = [places.at(path) for path in _paths(act, "names")]
        sealed = [places.at(path) for path in _paths(act, "sealed")]
        places.sync()  # what stays must be durable before anything goes
        if act.kind == SEAL:
            finished = _recover_seal(act, names, sealed, places)
        else:
            finished = _recover_unseal(act, names, sealed)
        _remove_temporary(act, names[0])
        places.sync()
    journal.step(act.id, DONE, outcome="finished" if finished else "undone")
    return "finished" if finished else "undone"


def _paths(act: Act, key: str) -> tuple[bytes, ...]:
    return tuple(path_bytes(text) for text in act.get(key, ()))


def _recover_seal(act: Act, names: Sequence[Place], sealed: Sequence[Place], places: Places) -> bool:
    source = int(act.get("source"))
    hidden = [
        (name, place)
        for name, place in zip(names, (places.at(path) for path in _paths(act, "hidden")), strict=False)
        if place.is_inode(source)
    ]
    committed = act.reached("committed")
    # a new file may have got the name since: then the sealed form keeps the old content, if nobody wrote to it
    taken = any(name.facts() is not None for name, _place in hidden)
    if (committed or taken) and _is_whole(sealed[0], act) and all(_is_settled(place, act) for _, place in hidden):
        for _name, place in hidden:
            place.unlink()
        return True
    for name, place in hidden:
        _put_back(name, place)
    if committed and not hidden:
        return True  # only the last line was missing; who took the sealed file away since did so knowingly
    if act.reached("verified"):
        for place in sealed:
            if place.is_sealed_file(int(act.get("target")), str(act.get("file_id"))):
                place.unlink()
    return False


def _is_settled(place: Place, act: Act) -> bool:
    """Whether the file is as recorded and nobody has it open: one who knocked at our lease may be writing to it."""
    with opened(place, os.O_RDONLY) as descriptor:
        if not take_lease(descriptor):
            return False
        facts = os.fstat(descriptor)
        return [facts.st_size, facts.st_mtime_ns] == [act.get("size"), act.get("mtime_ns")]


def _is_whole(place: Place, act: Act) -> bool:
    if not place.is_sealed_file(int(act.get("target")), str(act.get("file_id"))):
        return False
    with opened(place, os.O_RDONLY) as descriptor:
        try:
            return digest(descriptor).hex() == str(act.get("ciphertext_sha256"))
        except CorruptError:
            return False


def _put_back(name: Place, hidden: Place) -> None:
    try:
        rename_exclusive(hidden.folder, hidden.name, name.folder, name.name)
    except FileExistsError:
        spare = name.beside(name.name[:230] + b".recovered-" + os.urandom(4).hex().encode())
        rename_exclusive(hidden.folder, hidden.name, spare.folder, spare.name)


def _recover_unseal(act: Act, names: Sequence[Place], sealed: Sequence[Place]) -> bool:
    if not act.reached("verified"):
        return False
    target, source = int(act.get("target")), int(act.get("source"))
    back = [place for place in names if place.is_inode(target)]
    if not back:
        return False
    missing = [place for place in names if place not in back]
    if any(place.facts() is not None for place in missing):
        # the name of one of its links was taken meanwhile: it stays sealed, unless somebody uses what is there
        if all(_is_settled(place, act) for place in back):
            for place in back:
                place.unlink()
        return False
    for place in missing:
        os.link(back[0].name, place.name, src_dir_fd=back[0].folder, dst_dir_fd=place.folder)
        os.fsync(place.folder)
    for place in sealed:
        if place.is_sealed_file(source, str(act.get("file_id"))):
            place.unlink()
    return True


def _remove_temporary(act: Act, beside: Place) -> None:
    temporary = beside.beside(OWN_PREFIX + act.id.encode() + b".tmp")
    if temporary.facts() is not None:
        temporary.unlink()
