"""Certificates of stores as a real server sees them: expired, revoked, foreign, self-made; and renewal."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.home import HeadOfficeHome
from central.ingest.urgency import FAULT, UNSCANNED
from central.models import Act, Certificate, Fault, Instance, Store, StoredReport
from central.moments import now
from central.stores.authority import make_authority, read_authority, read_key
from central.stores.certificates import Certificates, Holder, read_request
from central.testing import OfficeProcess, SpeakingStore
from central.wire import encode, renew_message
from config.errors import UsageError

Enrol = Callable[[str], SpeakingStore]
ALERT = {"id": "a-1", "at": "2026-11-01T00:00:00Z", "kind": "bound"}


def faults(office: OfficeProcess, store_id: str) -> dict[str, Fault]:
    with opened(office) as session:
        return {fault.kind: fault for fault in session.scalars(select(Fault).where(Fault.store_id == store_id))}


def opened(office: OfficeProcess) -> Session:
    engine = create_engine(f"sqlite:///{office.folder / 'hq.db'}", poolclass=None)
    return Session(engine, expire_on_commit=False)


def acts(office: OfficeProcess, store_id: str) -> list[str]:
    with opened(office) as session:
        return list(session.scalars(select(Act.act).where(Act.store_id == store_id).order_by(Act.id)))


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.05)


def certificate_of(store: SpeakingStore) -> x509.Certificate:
    return x509.load_pem_x509_certificate(store.certificate_pem.encode())


def test_a_certificate_is_for_one_store_for_ninety_days_and_for_clients_alone(
    office: OfficeProcess, enrolled: Enrol
) -> None:
    store = enrolled("测试一店")
    certificate = certificate_of(store)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [f"urn:cloche:store:{store.store_id}"]
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert timedelta(days=89) < certificate.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=90)
    with opened(office) as session:
        row = session.scalars(select(Certificate).where(Certificate.store_id == store.store_id)).one()
    assert int(row.serial, 16) == certificate.serial_number
    assert store.report("alert", ALERT).status_code == 200


def test_nothing_but_a_counted_certificate_opens_a_way_in(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试二店")
    body = store.body("alert", ALERT)
    store.certificate_pem, kept = "", store.certificate_pem
    assert store.send(body).json()["error"] == "certificate"
    store.certificate_pem = kept
    assert store.send(body).status_code == 200
    assert faults(office, store.store_id)["certificate"].count == 1


def forged(authority_folder: Path, store: SpeakingStore, *, lasts: timedelta = timedelta(days=1)) -> str:
    """A certificate for this store's key and name, by whoever has a folder with an authority."""
    authority = read_authority(HeadOfficeHome(folder=authority_folder))
    made = authority.issue(store.tls_key.public_key(), store.store_id, lasts)
    return made.public_bytes(Encoding.PEM).decode()


def test_a_certificate_by_another_authority_ends_the_connection(
    office: OfficeProcess, enrolled: Enrol, tmp_path: Path
) -> None:
    elsewhere = HeadOfficeHome(folder=tmp_path / "elsewhere")
    elsewhere.create()
    make_authority(elsewhere, "测试总部", ["127.0.0.1"])
    store = enrolled("测试三店")
    store.certificate_pem = forged(elsewhere.folder, store)
    with pytest.raises(httpx.TransportError):
        store.report("alert", ALERT)


def test_a_certificate_that_was_signed_behind_our_back_counts_for_nothing(
    office: OfficeProcess, enrolled: Enrol
) -> None:
    """By the right key, but in no row of the database."""
    store = enrolled("测试四店")
    store.certificate_pem = forged(office.folder, store)
    answer = store.report("alert", ALERT)
    assert (answer.status_code, answer.json()["error"]) == (401, "certificate")
    assert faults(office, store.store_id)["certificate"].count == 1


def test_a_servers_certificate_is_none_of_a_store(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试五店")
    home = HeadOfficeHome(folder=office.folder)
    store.certificate_pem = home.server_chain.read_text()
    store.tls_key = read_key(home.server_key)
    with pytest.raises(httpx.TransportError):
        store.report("alert", ALERT)


def test_an_expired_certificate_is_told_so_in_a_word_and_renews(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试六店")
    good = store.certificate_pem
    store.certificate_pem = forged(office.folder, store, lasts=timedelta(seconds=-5))
    answer = store.report("alert", ALERT)
    assert (answer.status_code, answer.json()["error"]) == (401, "certificate_expired")
    assert faults(office, store.store_id)["certificate_expired"].count == 1
    store.certificate_pem = good
    assert store.renew().status_code == 200
    assert store.certificate_pem != good
    assert store.report("alert", ALERT).status_code == 200


def test_a_store_renews_with_and_without_a_certificate_and_the_old_one_stays_good(
    office: OfficeProcess, enrolled: Enrol
) -> None:
    store = enrolled("测试七店")
    first = store.certificate_pem
    assert store.renew().status_code == 200
    assert store.renew(with_certificate=False).status_code == 200
    assert store.report("alert", ALERT).status_code == 200
    store.certificate_pem = first
    assert store.report("alert", ALERT | {"id": "a-2"}).status_code == 200
    with opened(office) as session:
        told = list(
            session.scalars(
                select(Act.detail)
                .where(Act.store_id == store.store_id, Act.act == "certificate.renewed")
                .order_by(Act.id)
            )
        )
    assert told == ["", "without a certificate"]


def test_only_the_stores_own_key_renews(office: OfficeProcess, enrolled: Enrol, client: httpx.Client) -> None:
    store, other = enrolled("测试八店"), enrolled("测试九店")
    body = json.dumps({"schema": "cloche.renew/1", "csr": store.csr()}).encode()
    for key, context, claimed, shown, word in (
        (other.key, renew_message(body), store.store_id, client, "signature"),
        (store.key, body, store.store_id, client, "signature"),
        (store.key, renew_message(body), "s-000000000000", client, "unknown_store"),
        (store.key, renew_message(body), store.store_id, other.own, "wrong_store"),
    ):
        headers = {"Cloche-Wire": "1", "Cloche-Store": claimed, "Cloche-Signature": encode(key.sign(context))}
        answer = shown.post("/v1/renew", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, word)
    assert "signature" in faults(office, store.store_id)
    assert "wrong_store" in faults(office, other.store_id)


def test_somebody_who_renews_all_day_is_slowed_down(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试十店")
    codes = [store.renew(with_certificate=False).status_code for _ in range(21)]
    assert codes[0] == 200
    assert codes[-1] == 429
    assert store.report("alert", ALERT).status_code == 200


def test_an_open_poll_ends_within_two_seconds_of_a_revocation(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试甲店")
    with ThreadPoolExecutor() as pool:
        begun = time.monotonic()
        polling = pool.submit(store.poll, 0, 50)
        time.sleep(1)
        assert not polling.done()
        office.call("stores", "revoke", store.store_id, "--yes")
        revoked = time.monotonic()
        answer = polling.result(timeout=30)
        ended = time.monotonic()
    assert (answer.status_code, answer.json()["error"]) == (401, "revoked")
    assert ended - revoked < 2.5, f"it took {ended - revoked:.1f} s (open for {ended - begun:.1f} s)"
    assert store.report("alert", ALERT).json()["error"] == "revoked"
    assert store.renew().json()["error"] == "store_revoked"
    assert store.renew(with_certificate=False).status_code == 403
    wait_for(lambda: {"revoked"} <= faults(office, store.store_id).keys())
    assert "store.revoked" in acts(office, store.store_id)


def test_a_revoked_store_keeps_its_history_and_comes_back_by_a_token(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试乙店")
    assert store.report("alert", ALERT).status_code == 200
    office.call("stores", "revoke", store.store_id, "--yes")
    refused = store.enrol(office.token())
    assert (refused.status_code, refused.json()["error"]) == (403, "store_revoked")
    office.call("stores", "restore", store.store_id)
    token = office.call("token", "--store", store.store_id)["token"]
    assert store.enrol(token).json()["next_number"] == 2
    wait_for(lambda: store.report("alert", ALERT | {"id": "a-2"}).status_code == 200)
    with opened(office) as session:
        reports = session.scalars(select(StoredReport.number).where(StoredReport.store_id == store.store_id)).all()
    assert len(reports) == 2


def test_a_reinstalled_store_takes_over_and_the_old_machine_is_out(
    office: OfficeProcess, enrolled: Enrol, client: httpx.Client
) -> None:
    old = enrolled("测试丙店")
    for number in range(3):
        assert old.report("alert", ALERT | {"id": f"a-{number}"}).status_code == 200
    token = office.call("token", "--store", old.store_id)["token"]
    new = SpeakingStore(client=client)
    answer = new.enrol(token).json()
    assert (answer["store"], answer["next_number"], answer["name"]) == (old.store_id, 4, "测试丙店")
    assert new.report("alert", ALERT | {"id": "b-1"}).status_code == 200
    wait_for(lambda: old.report("alert", ALERT).status_code == 401)
    assert "restarted" not in faults(office, old.store_id)
    assert "store.key_replaced" in acts(office, old.store_id)
    assert old.renew(with_certificate=False).json()["error"] == "signature"
    new.close()


def test_clones_are_noticed_with_both_addresses_and_restarts_are_not(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试丁店")
    for name in ("start-one", "start-two", "start-three"):
        store.instance = name
        assert store.report("health", {}).status_code == 200
    assert "clone" not in faults(office, store.store_id)
    store.instance = "start-two"
    assert store.report("health", {}).status_code == 200
    found = faults(office, store.store_id)["clone"]
    with opened(office) as session:
        assert session.get_one(Store, store.store_id).urgency == FAULT
    assert found.detail.count("127.0.0.1") == 2
    assert "fault.clone" in acts(office, store.store_id)
    office.call("stores", "settle", store.store_id)
    assert faults(office, store.store_id)["clone"].settled_at is not None
    with opened(office) as session:
        settled = session.get_one(Store, store.store_id)
        assert (settled.faults, settled.urgency) == (0, UNSCANNED)
        names = session.scalars(select(Instance.instance).where(Instance.store_id == store.store_id)).all()
    assert {"start-one", "start-two", "start-three"} <= set(names)


def test_starts_of_a_link_are_not_kept_for_ever(office: OfficeProcess, enrolled: Enrol) -> None:
    store = enrolled("测试戊店")
    for number in range(25):
        store.instance = f"start-number-{number}"
        assert store.report("health", {}).status_code == 200
    with opened(office) as session:
        assert len(session.scalars(select(Instance).where(Instance.store_id == store.store_id)).all()) == 20


def pem_of(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(Encoding.PEM).decode()


def empty_request() -> x509.CertificateSigningRequestBuilder:
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))


def with_broken_signature() -> str:
    made = empty_request().sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    raw = bytearray(made.public_bytes(Encoding.DER))
    raw[-1] ^= 1
    return pem_of(x509.load_der_x509_csr(bytes(raw)))


BAD_REQUESTS = {
    "rsa": lambda: pem_of(empty_request().sign(rsa.generate_private_key(65537, 2048), hashes.SHA256())),
    "p384": lambda: pem_of(empty_request().sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256())),
    "ed25519": lambda: pem_of(empty_request().sign(ed25519.Ed25519PrivateKey.generate(), None)),
    "signature": with_broken_signature,
    "huge": lambda: pem_of(
        empty_request()
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"{n}.example") for n in range(400)]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    ),
    "nothing": lambda: "",
    "rubbish": lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    "letters": lambda: "证书请求",
    "zero": lambda: "\x00" * 100,
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_a_request_that_is_none_is_refused_and_costs_no_token(
    office: OfficeProcess, client: httpx.Client, kind: str
) -> None:
    bad = BAD_REQUESTS[kind]()
    with pytest.raises(UsageError, match="csr"):
        read_request(bad)
    token, store = office.token(), SpeakingStore(client=client)
    answer = store.enrol(token, csr=bad)
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")
    assert store.enrol(token).status_code == 200
    assert store.renew(csr=bad).status_code == 422
    store.close()


def test_names_and_rights_that_a_request_asks_for_are_ignored(office: OfficeProcess, client: httpx.Client) -> None:
    store = SpeakingStore(client=client)
    hostile = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Cloche HQ authority")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier("urn:cloche:store:s-000000000001"), x509.DNSName("hq.example.test")]
            ),
            critical=True,
        )
        .sign(store.tls_key, hashes.SHA256())
    )
    assert store.enrol(office.token(), csr=pem_of(hostile)).status_code == 200
    certificate = certificate_of(store)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [name.value for name in names] == [f"urn:cloche:store:{store.store_id}"]
    assert certificate.subject.rfc4514_string() == f"CN={store.store_id}"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    store.close()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    engine = open_database(f"sqlite:///{tmp_path / 'x.db'}", create=True)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()


def test_nobody_is_let_in_when_nobody_can_say_who_is_revoked(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = now() + timedelta(days=1)
    with sessions.begin() as session:
        session.add(Store(id="s-1", name="x", public_key=b"k" * 32, made_at=now()))
        session.flush()
        session.add(Certificate(store_id="s-1", serial="ab", issued_at=now(), expires_at=ends, revoked_at=None))
    looked_up = Certificates(sessions)

    async def look() -> None:
        assert await looked_up.find("s-1", "ab", ends) == Holder(store_id="s-1", public_key=b"k" * 32)
        assert await looked_up.find("s-1", "ac", ends) == "certificate"
        assert await looked_up.find("s-2", "ab", ends) == "certificate"
        assert await looked_up.find("s-1", "ab", now()) == "certificate_expired"
        monkeypatch.setattr(looked_up, "_read_revoked", lambda: None)
        monkeypatch.setattr("central.stores.certificates.time.monotonic", lambda: 10**9)
        assert await looked_up.find("s-1", "ab", ends) == "database"

    asyncio.run(look())
