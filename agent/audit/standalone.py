"""Verify an exported Cloche audit log with Python's standard library and `openssl` alone.

    python3 verify.py [FOLDER]

FOLDER (default: where this file lies) holds `audit.jsonl`, `audit.head.json` and `public-key.pem`. Exit code 0: every
entry is as it was written and the signed head fits; 1: broken, with the line; 3: the chain holds but the signature
could not be checked because `openssl` (1.1.1 or later) is not installed.

An entry is one line of canonical JSON (sorted keys, no blanks, ASCII) with `hash` = SHA-256 of the canonical JSON of
the entry without `hash`, and `prev` = `hash` of the entry before (64 zeros for the first).
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


def canonical(value: object) -> bytes:
    """The one way an object is written: sorted keys, no blanks, ASCII (RFC 8785 in spirit; floats as Python's)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def entry_hash(entry: dict[str, Any]) -> str:
    """SHA-256 (hex) of an entry without its `hash`."""
    return hashlib.sha256(canonical({key: value for key, value in entry.items() if key != "hash"})).hexdigest()


def signed_bytes(head: dict[str, Any]) -> bytes:
    """What a head's signature covers."""
    return b"cloche.audit.head/1\n" + canonical({key: head[key] for key in ("hash", "seq", "time")})


class Chain:
    """Follows a log line by line. Holds one hash a line at most when `keep` is set, else constant memory."""

    def __init__(self) -> None:
        self.entries = 0
        self.last_hash = NO_ENTRY
        self.hashes: dict[int, str] = {}

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
        return ""


def check_chain(lines: Any) -> tuple[Chain, int, str]:
    """Follow all lines: the chain as far as it holds, then (0, '') or (line number from 1, what is wrong)."""
    chain = Chain()
    for number, line in enumerate(lines, start=1):
        fault = chain.follow(line)
        if fault:
            return chain, number, fault
    return chain, 0, ""


def check_head(chain: Chain, head: dict[str, Any]) -> str:
    """'' if a head (`seq`, `hash`) lies on the chain, else what is wrong."""
    if head["seq"] > chain.entries:
        return f"cut: the signed head is entry {head['seq']}, the log ends with entry {chain.entries}"
    if head["seq"] and chain.hashes.get(head["seq"]) != head["hash"]:
        return f"changed: entry {head['seq']} is not the one that was signed"
    return ""


def check_signature(head: dict[str, Any], key_file: str) -> bool | None:
    """True or False by `openssl`; None where it is missing."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        data, signature = os.path.join(folder, "data"), os.path.join(folder, "signature")
        with open(data, "wb") as target:
            target.write(signed_bytes(head))
        with open(signature, "wb") as target:
            target.write(bytes.fromhex(head["signature"]))
        answer = subprocess.run(
            [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", key_file, "-rawin", "-in", data,
             "-sigfile", signature],
            capture_output=True, check=False,
        )  # fmt: skip
    return answer.returncode == 0


def main(folder: str) -> int:
    """Verify the export in `folder` and say so."""
    say = sys.stdout.write
    with open(os.path.join(folder, "audit.jsonl"), "rb") as log:
        chain, line, fault = check_chain(log)
    if fault:
        say(f"BROKEN 已损坏: line 行 {line}: {fault}\n")
        return 1
    try:
        with open(os.path.join(folder, "audit.head.json"), "rb") as file:
            head = json.loads(file.read())
        fault = check_head(chain, head)
        signature = check_signature(head, os.path.join(folder, "public-key.pem"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"BROKEN 已损坏: the signed head cannot be read ({type(error).__name__})\n")
        return 1
    if not fault and signature is False:
        fault = "the head's signature is not by this key"
    if fault:
        say(f"BROKEN 已损坏: {fault}\n")
        return 1
    if signature is None:
        say(f"{chain.entries} entries hold together; signature NOT checked (openssl is missing) 签名未核验\n")
        return 3
    say(
        f"OK 完整: {chain.entries} entries 条, head 链头 {head['hash']}, signed up to entry 签名至第 {head['seq']} 条\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))))
