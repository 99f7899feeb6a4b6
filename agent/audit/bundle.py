"""The zip file that an outsider verifies: contents, their signed manifest, and a verifier that stands alone."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.audit.standalone import MANIFEST, SCHEMA, canonical, manifest_bytes, manifest_hash
from agent.audit.verify import Head
from config.text import LANGUAGES, Text

README: Final = {"zh-CN": "README.zh-CN.md", "en": "README.md"}


def as_pem(public_key: bytes) -> bytes:
    """A raw Ed25519 key as SubjectPublicKeyInfo (RFC 8410), which `openssl` reads."""
    return Ed25519PublicKey.from_public_bytes(public_key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def record_contents(log: bytes, head: Head, public_key: bytes, store: str) -> dict[str, bytes]:
    """What every bundle holds: the record with its head, the key, the verifier, and a word to the reader."""
    contents = {
        "audit.jsonl": log,
        "audit.head.json": canonical(head.document()) + b"\n",
        "public-key.pem": as_pem(public_key),
        "verify.py": files("agent.audit").joinpath("standalone.py").read_bytes(),
    }
    for language in LANGUAGES:
        text = Text(language)(
            "audit.readme", store=store, entries=head.seq, hash=head.hash, key=public_key.hex(), time=head.time
        )
        contents[README[language]] = text.encode("utf-8")
    return contents


def make_bundle(contents: Mapping[str, bytes], sign: Callable[[bytes], bytes], store: str, made_at: datetime) -> bytes:
    """The zip file's bytes.

    Args:
        contents: files by relative path, with `/` between.
        sign: Ed25519 by the store's seal key.
        store: its name.
        made_at: aware.
    """
    manifest: dict[str, Any] = {
        "schema": SCHEMA, "store": store, "made_at": made_at.astimezone(UTC).isoformat(timespec="seconds"),
        "files": {
            name: {"size": len(content), "sha256": sha256(content).hexdigest()} for name, content in contents.items()
        },
    }  # fmt: skip
    manifest["hash"] = manifest_hash(manifest)
    manifest["signature"] = sign(manifest_bytes(manifest)).hex()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in {**contents, MANIFEST: canonical(manifest) + b"\n"}.items():
            bundle.writestr(name, content)
    return target.getvalue()
