"""Whatever is asked, by the letter of the descriptions or against it: no answer is a failure of ours.

Schemathesis makes requests from the OpenAPI documents of the API (with a token that may write) and of the wire (with a
real store's certificate, and without one). Bounded here; `make fuzz-hq` goes on with CLOCHE_FUZZ examples of each
operation, drawn anew each time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

from central.api.programs import describe_api, openapi_document
from central.api.wire_document import wire_document
from central.database.engine import open_database
from central.models import Order, Person, StoredReport
from central.people.tokens import make_token
from central.testing import OfficeProcess, SpeakingStore, call_office, serve_office

EXAMPLES = int(os.environ.get("CLOCHE_FUZZ", "12"))
BOUNDS = settings(
    max_examples=EXAMPLES, deadline=None, derandomize="CLOCHE_FUZZ" not in os.environ, database=None,
    phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
)  # fmt: skip
SECONDS = 20


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfficeProcess]:
    folder = tmp_path_factory.mktemp("hq") / "office"
    made = call_office(folder, "init", "--name", "测试总部", "--second-factor", "offered")
    (folder / "hq.toml").write_text("[api]\nrequests_a_minute = 1000000\n", encoding="utf-8")
    with serve_office(folder, made=made) as running:
        yield running


@pytest.fixture(scope="module")
def store(office: OfficeProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, tuple[str, str]]:
    """An enrolled store's identifier, and the files of its certificate and key."""
    folder = tmp_path_factory.mktemp("store")
    with office.client() as client:
        speaking = SpeakingStore(client=client)
        assert speaking.enrol(office.token("测试店")).status_code == 200
        key = speaking.tls_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate_file, key_file = folder / "store.pem", folder / "store.key"
        certificate_file.write_text(speaking.certificate_pem, encoding="ascii")
        key_file.write_bytes(key)
        speaking.close()
    return speaking.store_id, (str(certificate_file), str(key_file))


def operations(document: dict[str, Any]) -> list[tuple[str, Any]]:
    schema = schemathesis.openapi.from_dict(document)
    return [(f"{one.ok().method.upper()} {one.ok().path}", one.ok()) for one in schema.get_all_operations()]


API = operations(openapi_document(describe_api()))
WIRE = operations(wire_document())


def cases(operation: Any) -> st.SearchStrategy[Case]:
    return st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )


def ask(http: requests.Session, case: Case, base: str, headers: dict[str, str]) -> requests.Response | None:
    """The answer; None where the request is one that no client can send (a header with a line break)."""
    values = case.as_transport_kwargs(base_url=base)
    sent = {
        name: value
        for name, value in {**(values.pop("headers", None) or {}), **headers}.items()
        if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", str(name)) and "\n" not in str(value) and "\r" not in str(value)
    }
    values.pop("cookies", None)
    try:
        return http.request(headers=sent, timeout=SECONDS, allow_redirects=False, **values)
    except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
        return None


@pytest.mark.parametrize(("name", "operation"), API, ids=[name for name, _operation in API])
def test_the_api_never_fails_and_answers_as_it_says(office: OfficeProcess, name: str, operation: Any) -> None:
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    with sessionmaker(engine).begin() as session:
        person = session.scalars(select(Person).where(Person.login == office.officer)).one()
        token = make_token(session, person, "fuzz", writes=True)[0]
    engine.dispose()
    with requests.Session() as http:
        http.verify = str(office.folder / "ca.pem")
        http.trust_env = False

        @BOUNDS
        @given(case=cases(operation))
        def run(case: Case) -> None:
            answer = ask(http, case, f"{office.url}/api/v1", {"Authorization": f"Bearer {token}"})
            if answer is None:
                return
            assert answer.status_code < 500, f"{name}: {answer.status_code} {answer.text[:300]}"
            if answer.status_code >= 400:
                assert answer.headers["Content-Type"] == "application/problem+json", name
                assert answer.json()["type"].startswith("urn:cloche:problem:")
            elif answer.headers["Content-Type"] == "application/json" and "exports" not in name:
                case.validate_response(
                    answer, checks=[schemathesis.checks.CHECKS.get_one("response_schema_conformance")]
                )

        run()


@pytest.mark.parametrize("shown", ["with a certificate", "without one"])
@pytest.mark.parametrize(("name", "operation"), WIRE, ids=[name for name, _operation in WIRE])
def test_the_wire_never_fails_and_takes_nothing_unsigned(
    office: OfficeProcess, store: tuple[str, tuple[str, str]], name: str, operation: Any, shown: str
) -> None:
    store_id, files = store
    with requests.Session() as http:
        http.verify = str(office.folder / "ca.pem")
        http.trust_env = False
        if shown == "with a certificate":
            http.cert = files

        @BOUNDS
        @given(case=cases(operation), honest=st.booleans())
        def run(case: Case, honest: bool) -> None:
            if name == "GET /orders":
                case.query = {**(case.query or {}), "wait": 0}  # how long it waits is tested with the orders
            headers = {"Cloche-Wire": "1", "Cloche-Store": store_id} if honest else {}
            answer = ask(http, case, f"{office.url}/v1", headers)
            assert answer is None or answer.status_code < 500, f"{name}: {answer.status_code} {answer.text[:300]}"

        run()
    engine = open_database(f"sqlite:///{office.folder / 'hq.db'}")
    with sessionmaker(engine)() as session:
        assert session.scalar(select(func.count()).select_from(StoredReport)) == 0
        assert session.scalar(select(func.count()).select_from(Order).where(Order.kind.in_(["purge", "release"]))) == 0
    engine.dispose()


def test_the_server_still_serves_after_all_of_it(office: OfficeProcess) -> None:
    with office.client() as client:
        assert client.get("/login").status_code == 200
    assert Path(f"/proc/{office.pid}").exists()
