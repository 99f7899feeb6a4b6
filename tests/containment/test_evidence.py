"""Evidence: a bundle is whole, signed, and never written over."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.errors import ClocheError, UsageError
from containment.evidence import verify_bundle, verify_chain, write_bundle

FILES = {"访问记录.json": b'{"opened": 3}', "processes.json": b"[]", "empty.txt": b""}


@pytest.fixture
def key():
    return Ed25519PrivateKey.generate()


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def test_a_bundle_verifies_and_lists_every_file(tmp_path, key):
    bundle = write_bundle(tmp_path / "I-1", FILES, key.sign)
    state = verify_bundle(bundle, public(key))
    assert (state.intact, state.files, state.problems) == (True, 3, ())
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    assert {entry["name"]: entry["size"] for entry in manifest["files"]} == {n: len(c) for n, c in FILES.items()}
    assert oct(bundle.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize(
    "damage",
    ["change", "shorten", "remove", "add", "manifest", "signature", "symlink"],
)
def test_any_change_to_a_bundle_shows(tmp_path, key, damage):
    bundle = write_bundle(tmp_path / "I-1", FILES, key.sign)
    victim = bundle / "processes.json"
    victim.chmod(0o600)
    if damage == "change":
        victim.write_bytes(b"{}")
    elif damage == "shorten":
        victim.write_bytes(b"")
    elif damage == "remove":
        victim.unlink()
    elif damage == "add":
        (bundle / "later.json").write_bytes(b"")
    elif damage == "symlink":
        twin = tmp_path / "twin"
        twin.write_bytes(FILES["processes.json"])
        victim.unlink()
        victim.symlink_to(twin)
    else:
        target = bundle / ("manifest.json" if damage == "manifest" else "manifest.sig")
        raw = target.read_bytes()
        target.chmod(0o600)
        target.write_bytes(raw.replace(b"processes", b"processez") if damage == "manifest" else b"A" + raw[1:])
    assert not verify_bundle(bundle, public(key)).intact


def test_a_bundle_of_another_store_is_not_ours(tmp_path, key):
    bundle = write_bundle(tmp_path / "I-1", FILES, key.sign)
    assert not verify_bundle(bundle, public(Ed25519PrivateKey.generate())).intact


def test_a_second_bundle_gets_a_new_number_and_leaves_the_first_alone(tmp_path, key):
    first = write_bundle(tmp_path / "I-1", FILES, key.sign)
    before = {entry.name: entry.read_bytes() for entry in first.iterdir()}
    second = write_bundle(tmp_path / "I-1", {"more.json": b"1"}, key.sign)
    assert (first.name, second.name) == ("bundle-0001", "bundle-0002")
    assert before == {entry.name: entry.read_bytes() for entry in first.iterdir()}
    assert all(state.intact for state in verify_chain(tmp_path / "I-1", public(key)))


def test_a_bundle_missing_from_the_middle_shows_in_the_chain(tmp_path, key):
    bundles = [write_bundle(tmp_path / "I-1", FILES, key.sign) for _ in range(3)]
    for entry in bundles[1].iterdir():
        entry.unlink()
    bundles[1].rmdir()
    assert not verify_chain(tmp_path / "I-1", public(key))[-1].intact


def test_bundles_written_at_the_same_time_all_survive(tmp_path, key):
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda n: write_bundle(tmp_path / "I-1", {f"{n}": b"x"}, key.sign), range(8)))
    assert len({bundle.name for bundle in written}) == 8
    assert all(state.intact for state in verify_chain(tmp_path / "I-1", public(key)))


@pytest.mark.parametrize("name", ["", "..", "a/b", "manifest.json", "manifest.sig", "a\0b"])
def test_a_name_that_leaves_the_bundle_is_refused(tmp_path, key, name):
    with pytest.raises(UsageError):
        write_bundle(tmp_path / "I-1", {name: b""}, key.sign)
    assert not list(tmp_path.rglob("bundle*"))


def test_a_failed_signature_leaves_nothing_behind(tmp_path, key):
    def fail(_data):
        raise OSError(28, "No space left on device")

    with pytest.raises(ClocheError):
        write_bundle(tmp_path / "I-1", FILES, fail)
    assert os.listdir(tmp_path / "I-1") == []
