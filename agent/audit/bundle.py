"""The export: log, signed head, public key and a verifier that needs nothing of ours, in one zip file."""

from __future__ import annotations

import io
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.audit.standalone import canonical
from agent.audit.verify import Head
from config.text import LANGUAGES, Text

README: Final = {"zh-CN": "README.zh-CN.md", "en": "README.md"}


def as_pem(public_key: bytes) -> bytes:
    """A raw Ed25519 key as SubjectPublicKeyInfo (RFC 8410), which `openssl` reads."""
    return Ed25519PublicKey.from_public_bytes(public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def make_bundle(log: Path, head: Head, public_key: bytes, store: str) -> bytes:
    """The zip file's bytes.

    Raises:
        OSError: the log cannot be read.
    """
    contents: dict[str, bytes] = {
        "audit.jsonl": log.read_bytes(),
        "audit.head.json": canonical(head.document()) + b"\n",
        "public-key.pem": as_pem(public_key),
        "verify.py": files("agent.audit").joinpath("standalone.py").read_bytes(),
    }
    for language in LANGUAGES:
        text = Text(language)(
            "audit.readme", store=store, entries=head.seq, hash=head.hash, key=public_key.hex(), time=head.time
        )
        contents[README[language]] = text.encode("utf-8")
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in contents.items():
            bundle.writestr(name, content)
    return target.getvalue()
