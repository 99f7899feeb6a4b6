"""Verify a Cloche package for the police with Python's standard library and `openssl` alone.

    python3 verify.py [FOLDER]

FOLDER (default: where this file lies) is the unpacked zip. Checked: the signature of MANIFEST.json, the SHA-256 of
every file it names, that no other file is there, each evidence bundle against its own signed manifest, and that the
timeline's lines hang together up to its signed head. Exit code 0: all of it holds; 1: broken, and what; 3: all hashes
hold but signatures could not be checked because `openssl` (1.1.1 or later) is not installed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

OWN = {"MANIFEST.json", "MANIFEST.sig"}


def signed(data: bytes, signature: bytes, key_file: str) -> bool | None:
    """True or False by `openssl` (Ed25519, RFC 8032); None where it is missing."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("data", "signature")]
        for path, content in zip(paths, (data, signature), strict=True):
            with open(path, "wb") as target:
                target.write(content)
        answer = subprocess.run(
            [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", key_file, "-rawin", "-in", paths[0], "-sigfile",
             paths[1]],
            capture_output=True, check=False,
        )  # fmt: skip
    return answer.returncode == 0


def read(folder: str, name: str) -> bytes:
    """A file of the package."""
    with open(os.path.join(folder, *name.split("/")), "rb") as file:
        return file.read()


def present(folder: str) -> set[str]:
    """Every file of the package, by its name with slashes."""
    found = set()
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found |= {os.path.relpath(os.path.join(here, name), folder).replace(os.sep, "/") for name in names}
    return found


def check_files(folder: str, listed: dict[str, str]) -> list[str]:
    """What is changed, missing or extra."""
    problems = []
    for name, digest in listed.items():
        try:
            if hashlib.sha256(read(folder, name)).hexdigest() != digest:
                problems.append(f"{name}: changed 已改动")
        except OSError:
            problems.append(f"{name}: missing 缺失")
    problems += [f"{name}: not in the manifest 清单外文件" for name in sorted(present(folder) - set(listed) - OWN)]
    return problems


def check_bundle(folder: str, name: str, key_file: str) -> tuple[list[str], bool]:
    """Problems of one evidence bundle, and whether its signature could be checked."""
    raw = read(folder, f"{name}/manifest.json")
    verdict = signed(raw, base64.b64decode(read(folder, f"{name}/manifest.sig")), key_file)
    problems = [f"{name}/manifest.json: signature 签名不符"] if verdict is False else []
    problems += [
        f"{name}/{entry['name']}: changed 已改动"
        for entry in json.loads(raw)["files"]
        if hashlib.sha256(read(folder, f"{name}/{entry['name']}")).hexdigest() != entry["sha256"]
    ]
    return problems, verdict is not None


def canonical(value: object) -> bytes:
    """The one way an entry is written: sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def check_timeline(folder: str, key_file: str) -> tuple[list[str], bool]:
    """Problems of the timeline, and whether its signature could be checked.

    A line is canonical JSON with `hash` = SHA-256 of the entry without `hash`, and `prev` = `hash` of the one before.
    """
    head = json.loads(read(folder, "timeline/timeline.head.json"))
    hashes = ["0" * 64]
    for number, line in enumerate(read(folder, "timeline/timeline.jsonl").splitlines(), 1):
        entry = json.loads(line)
        digest = hashlib.sha256(canonical({key: value for key, value in entry.items() if key != "hash"})).hexdigest()
        if canonical(entry) != line or entry["hash"] != digest:
            return [f"timeline: line 第 {number} 行: changed 已改动"], True
        if entry["seq"] != number or entry["prev"] != hashes[-1]:
            return [f"timeline: line 第 {number} 行: out of place 前后不连"], True
        hashes.append(digest)
    if head["seq"] >= len(hashes) or hashes[head["seq"]] != head["hash"]:
        return ["timeline: cut or changed before its signed head 链头之前被删改"], True
    data = b"cloche.audit.head/1\n" + canonical({key: head[key] for key in ("hash", "seq", "time")})
    verdict = signed(data, bytes.fromhex(head["signature"]), key_file)
    return (["timeline: signature 签名不符"] if verdict is False else []), verdict is not None


def main(folder: str) -> int:
    """Verify the package in `folder` and say so."""
    say = sys.stdout.write
    key_file = os.path.join(folder, "public-key.pem")
    try:
        raw = read(folder, "MANIFEST.json")
        verdict = signed(raw, base64.b64decode(read(folder, "MANIFEST.sig")), key_file)
        listed = json.loads(raw)["files"]
        problems = ["MANIFEST.json: signature 签名不符"] if verdict is False else []
        problems += check_files(folder, listed)
        checked = verdict is not None
        if not problems:
            for name in sorted({name.rpartition("/")[0] for name in listed if name.startswith("evidence/")}):
                more, could = check_bundle(folder, name, key_file)
                problems, checked = problems + more, checked and could
            more, could = check_timeline(folder, key_file)
            problems, checked = problems + more, checked and could
    except (OSError, ValueError, KeyError, TypeError) as error:
        problems, checked = [f"{type(error).__name__}"], True
    for problem in problems:
        say(f"BROKEN 已损坏: {problem}\n")
    if problems:
        return 1
    if not checked:
        say("all hashes hold 哈希一致; signatures NOT checked (openssl is missing) 签名未核验\n")
        return 3
    say(f"OK 完整: {len(listed)} files 个文件\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))))
