"""Verify an exported Cloche audit bundle with Python's standard library and `openssl` alone.

    python3 verify.py [FOLDER]

FOLDER (default: where this file lies) is the unpacked bundle. Exit code 0: every file is the one that was signed,
every entry is as it was written, and the record of every act and the timelines of the incidents bear each other out;
1: broken, and each fault is named; 3: all of it holds together, but no signature could be checked because `openssl`
(1.1.1 or later) is not installed.

- `manifest.json`: one line of canonical JSON (sorted keys, no blanks, ASCII) with size and SHA-256 of every file,
  `hash` = SHA-256 of the manifest without `hash` and `signature`, and an Ed25519 signature of it.
- `audit.jsonl`, `timelines/ID.jsonl`: an entry is one line of canonical JSON with `hash` = SHA-256 of the canonical
  JSON of the entry without `hash`, and `prev` = `hash` of the entry before (64 zeros for the first). The signed head
  lies beside each (`.head.json`).
- The record of every act holds number and hash of each entry of a timeline (`details.timeline`) and the digest of
  each assessment (`assess.run`): a timeline or an assessment that was cut or left out shows against it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

FIELDS = {"seq", "time", "act", "actor", "details", "prev", "hash"}
NO_ENTRY = "0" * 64
MANIFEST = "manifest.json"
SCHEMA = "cloche.bundle/2"
CUT = "audit.cut"


def canonical(value: object) -> bytes:
    """The one way an object is written: sorted keys, no blanks, ASCII (RFC 8785 in spirit; floats as Python's)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 (hex) of an entry without its `hash`."""
    return hashlib.sha256(canonical({key: value for key, value in entry.items() if key != "hash"})).hexdigest()


def signed_bytes(head: dict[str, Any]) -> bytes:
    """What a head's signature covers."""
    return b"cloche.audit.head/1\n" + canonical({key: head[key] for key in ("hash", "seq", "time")})


def manifest_hash(manifest: dict[str, Any]) -> str:
    """SHA-256 (hex) of a manifest without its `hash` and `signature`."""
    return hashlib.sha256(
        canonical({key: value for key, value in manifest.items() if key not in ("hash", "signature")})
    ).hexdigest()


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """What a manifest's signature covers."""
    return SCHEMA.encode("ascii") + b"\n" + str(manifest["hash"]).encode("ascii")


class Chain:
    """Follows a log line by line, and remembers what it says of timelines and assessments.

    `named`: by incident, number of an entry of its timeline → its hash. `assessed`: number → digest. `cut`: the first
    entry by which the log itself says that signed entries before it were gone, 0 for none.
    """

    def __init__(self) -> None:
        self.entries = 0
        self.last_hash = NO_ENTRY
        self.hashes: dict[int, str] = {}
        self.named: dict[str, dict[int, str]] = {}
        self.assessed: dict[int, str] = {}
        self.cut = 0

    def follow(self, line: bytes) -> str:
        """Take the next line (with its newline); '' if it fits, else what is wrong with it."""
        if not line.endswith(b"\n"):
            return "torn: the line does not end"
        try:
            entry = json.loads(line[:-1].decode("ascii"))
        except (ValueError, RecursionError):
            return "not an entry"
        if not isinstance(entry, dict) or set(entry) != FIELDS:
            return "not an entry"
        try:
            written = canonical(entry)
        except ValueError:
            return "not an entry"
        if written != line[:-1]:
            return "not in canonical form"
        if entry["hash"] != entry_hash(entry):
            return "changed: its hash does not fit"
        if entry["seq"] != self.entries + 1 or entry["prev"] != self.last_hash:
            return "out of place: an entry before it was removed, inserted or moved"
        self.entries += 1
        self.last_hash = entry["hash"]
        self.hashes[self.entries] = self.last_hash
        self._remember(entry)
        return ""

    def _remember(self, entry: dict[str, Any]) -> None:
        details = entry["details"]
        if entry["act"] == CUT and not self.cut:
            self.cut = self.entries
        if not isinstance(details, dict):
            return
        place, incident = details.get("timeline"), details.get("incident")
        if isinstance(place, dict) and isinstance(incident, str) and isinstance(place.get("entry"), int):
            self.named.setdefault(incident, {})[place["entry"]] = str(place.get("hash"))
        if entry["act"] == "assess.run" and isinstance(details.get("number"), int):
            self.assessed[details["number"]] = str(details.get("sha256"))


def check_chain(lines: Any) -> tuple[Chain, int, str]:
    """Follow all lines: the chain as far as it holds, then (0, '') or (line number from 1, what is wrong)."""
    chain = Chain()
    for number, line in enumerate(lines, start=1):
        fault = chain.follow(line)
        if fault:
            return chain, number, fault
    return chain, 0, ""


def check_head(chain: Chain, head: dict[str, Any]) -> str:
    """'' if a head (`seq`, `hash`) lies on the chain and nothing was cut before, else what is wrong."""
    if chain.cut:
        return f"cut: entry {chain.cut} says that signed entries before it were gone"
    if head["seq"] > chain.entries:
        return f"cut: the signed head is entry {head['seq']}, the log ends with entry {chain.entries}"
    if head["seq"] and chain.hashes.get(head["seq"]) != head["hash"]:
        return f"changed: entry {head['seq']} is not the one that was signed"
    return ""


def check_named(timeline: Chain, named: dict[int, str]) -> str:
    """'' if a timeline holds every entry that the record of every act names of it, else what is wrong."""
    for number in sorted(named):
        if number > timeline.entries:
            return f"cut: the record of every act names entry {number}, the timeline ends with {timeline.entries}"
        if timeline.hashes[number] != named[number]:
            return f"changed: entry {number} is not the one that the record of every act names"
    return ""


def check_signature(data: bytes, signature: str, key_file: str) -> bool | None:
    """True or False by `openssl`; None where it is missing."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data_file, signature_file = os.path.join(folder, "data"), os.path.join(folder, "signature")
        with open(data_file, "wb") as target:
            target.write(data)
        with open(signature_file, "wb") as target:
            target.write(bytes.fromhex(signature))
        answer = subprocess.run(
            [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", key_file, "-rawin", "-in", data_file,
             "-sigfile", signature_file],
            capture_output=True, check=False,
        )  # fmt: skip
    return answer.returncode == 0


class Bundle:
    """An unpacked bundle. `faults` is empty if all of it holds; `unsigned` if no signature could be checked."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.faults: list[str] = []
        self.unsigned = False
        self.chain = Chain()
        self.timelines = 0
        self.assessments = 0

    def verify(self) -> None:
        """Look at everything, and go on after a fault: each is named."""
        self._manifest()
        chain = self._log("audit")
        if chain is None:
            return
        self.chain = chain
        found = {name[:-6] for name in self._names("timelines") if name.endswith(".jsonl")}
        for incident in sorted(found | set(chain.named)):
            if incident not in found:
                self.faults.append(f"timelines/{incident}.jsonl: missing, though the record of every act names it")
                continue
            timeline = self._log(f"timelines/{incident}")
            if timeline is not None:
                self.timelines += 1
                fault = check_named(timeline, chain.named.get(incident, {}))
                if fault:
                    self.faults.append(f"timelines/{incident}.jsonl: {fault}")
        self._assessments()

    def _manifest(self) -> None:
        try:
            raw = self._read(MANIFEST)
            manifest = json.loads(raw.decode("ascii"))
            if raw != canonical(manifest) + b"\n" or manifest["schema"] != SCHEMA:
                raise ValueError("not in canonical form")
            if manifest["hash"] != manifest_hash(manifest):
                raise ValueError("changed: its hash does not fit")
            files = dict(manifest["files"])
            signature = self._signature(manifest_bytes(manifest), manifest["signature"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            self.faults.append(f"{MANIFEST}: {type(error).__name__}: {error}")
            return
        if signature is False:
            self.faults.append(f"{MANIFEST}: the signature is not by this key")
        there = set(self._all()) - {MANIFEST}
        for name in sorted(there - set(files)):
            self.faults.append(f"{name}: is not in the manifest")
        for name in sorted(files):
            if name not in there:
                self.faults.append(f"{name}: missing")
                continue
            content = self._read(name)
            if {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} != files[name]:
                self.faults.append(f"{name}: changed since it was signed")

    def _log(self, name: str) -> Chain | None:
        try:
            with open(self._path(name + ".jsonl"), "rb") as log:
                chain, line, fault = check_chain(log)
            if fault:
                self.faults.append(f"{name}.jsonl: line 行 {line}: {fault}")
                return None
            head = json.loads(self._read(name + ".head.json"))
            fault = check_head(chain, head)
            if not fault and self._signature(signed_bytes(head), head["signature"]) is False:
                fault = "the head's signature is not by this key"
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            self.faults.append(f"{name}: log or signed head cannot be read ({type(error).__name__})")
            return None
        if fault:
            self.faults.append(f"{name}.jsonl: {fault}")
            return None
        return chain

    def _assessments(self) -> None:
        try:
            lines = self._read("assessments.jsonl").splitlines()
        except OSError:
            lines = []
        digests = {hashlib.sha256(line).hexdigest() for line in lines}
        self.assessments = len(lines)
        for number, digest in sorted(self.chain.assessed.items()):
            if digest not in digests:
                self.faults.append(f"assessments.jsonl: assessment {number} is missing or changed")
        if len(digests - set(self.chain.assessed.values())):
            self.faults.append("assessments.jsonl: holds an assessment that the record of every act does not name")

    def _signature(self, data: bytes, signature: object) -> bool | None:
        checked = check_signature(data, str(signature), self._path("public-key.pem"))
        self.unsigned = self.unsigned or checked is None
        return checked

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, *name.split("/"))

    def _read(self, name: str) -> bytes:
        with open(self._path(name), "rb") as file:
            return file.read()

    def _names(self, folder: str) -> list[str]:
        try:
            return os.listdir(self._path(folder))
        except OSError:
            return []

    def _all(self) -> list[str]:
        return [
            os.path.relpath(os.path.join(here, name), self.folder).replace(os.sep, "/")
            for here, _folders, names in os.walk(self.folder)
            for name in names
        ]


def main(folder: str) -> int:
    """Verify the bundle in `folder` and say so."""
    say = sys.stdout.write
    bundle = Bundle(folder)
    bundle.verify()
    for fault in bundle.faults:
        say(f"BROKEN 已损坏: {fault}\n")
    if bundle.faults:
        return 1
    held = (
        f"{bundle.chain.entries} entries 条, {bundle.timelines} timelines 时间线, {bundle.assessments} assessments 评估"
    )
    if bundle.unsigned:
        say(f"{held}: hold together; signatures NOT checked (openssl is missing) 签名未核验\n")
        return 3
    say(f"OK 完整: {held}; head 链头 {bundle.chain.last_hash}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))))
