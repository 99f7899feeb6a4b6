"""The register: entities, regions and stores by page and command, tables with bad lines, rights over them."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from databases import database_url  # noqa: F401  a fixture
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from central.database.engine import open_database
from central.models import Act, Entity, Region, Store, Token
from central.moments import now
from central.people.directory import machine_viewer
from central.people.rights import Right, Viewer
from central.stores import register
from central.stores.importing import Importing, as_csv, import_stores
from central.stores.register import EntityFacts
from central.testing import PROGRAM, OfficeProcess, SpeakingStore
from config.credit_code import check_letter, is_credit_code
from config.errors import RefusedError, UsageError

MACHINE = machine_viewer()
CODE = "91350100M000100Y4" + check_letter("91350100M000100Y4")
PIN = b"\x01" * 32


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:  # noqa: F811  the fixture
    engine = open_database(database_url, create=True)
    with sessionmaker(engine, expire_on_commit=False)() as opened:
        yield opened
    engine.dispose()


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.mark.parametrize("code", [CODE, "91350100M000100Y43"])
def test_a_credit_code_with_its_check_character_is_one(code: str) -> None:
    assert is_credit_code(code)


@pytest.mark.parametrize(
    "code", ["", "91350100M000100Y4", "91350100M000100Y44", "91350100I000100Y43", CODE + "0", CODE.lower()]
)
def test_a_credit_code_that_was_mistyped_is_none(code: str) -> None:
    assert not is_credit_code(code)


def test_an_entity_has_a_right_code_and_only_a_franchise_has_rights(session: Session) -> None:
    facts = EntityFacts(name="测试餐饮有限公司", credit_code=CODE.lower(), province="福建", rights=("look", "purge"))
    direct = register.add_entity(session, MACHINE, facts)
    assert (direct.credit_code, direct.rights) == (CODE, [])
    for wrong, why in (
        (replace(facts, name="别的", credit_code="91350100M000100Y44"), "bad_code"),
        (replace(facts, name="别的"), "code_taken"),
        (replace(facts, credit_code=""), "name_taken"),
        (replace(facts, name=" \u202e\n", credit_code=""), "name_missing"),
        (replace(facts, name="x" * 201, credit_code=""), "name_long"),
        (replace(facts, name="别的", credit_code="", kind="owned"), "bad_kind"),
        (replace(facts, name="别的", credit_code="", kind="franchise", rights=("look", "settings")), "bad_right"),
    ):
        with pytest.raises(UsageError, match=why):
            register.add_entity(session, MACHINE, wrong)
    register.change_entity(session, MACHINE, direct, replace(facts, kind="franchise"))
    assert direct.rights == ["look", "purge"]


def test_what_something_belongs_to_is_not_removed(session: Session) -> None:
    entity = register.add_entity(session, MACHINE, EntityFacts(name="测试加盟商"))
    region = register.add_region(session, MACHINE, "测试一区")
    store = register.add_store(session, MACHINE, "测试一店", entity_id=entity.id, region_id=region.id)
    for remove in (
        lambda: register.remove_entity(session, MACHINE, entity),
        lambda: register.remove_region(session, MACHINE, region),
    ):
        with pytest.raises(UsageError, match="in_use"):
            remove()
    register.change_store(session, MACHINE, store, name="测试甲店", entity_id=None, region_id=None)
    register.remove_entity(session, MACHINE, entity)
    register.remove_region(session, MACHINE, region)
    assert count(session, Entity) == count(session, Region) == 0


def test_who_looks_after_one_entity_changes_nothing_elsewhere(session: Session) -> None:
    own = register.add_entity(session, MACHINE, EntityFacts(name="甲", kind="franchise"))
    other = register.add_entity(session, MACHINE, EntityFacts(name="乙"))
    theirs = Viewer(
        person_id="p-1", name="测试", rights=(Right(role="security_lead", scope="entity", scope_id=own.id),)
    )
    inside = register.add_store(session, theirs, "内店", entity_id=own.id)
    outside = register.add_store(session, MACHINE, "外店", entity_id=other.id)
    with pytest.raises(RefusedError):
        register.add_store(session, theirs, "新店", entity_id=other.id)
    with pytest.raises(RefusedError):
        register.change_store(session, theirs, inside, name="内店", entity_id=other.id, region_id=None)
    session.rollback()
    for act in (
        lambda: register.revoke(session, theirs, outside),
        lambda: register.token_for(session, theirs, PIN, outside),
        lambda: register.add_entity(session, theirs, EntityFacts(name="丙")),
        lambda: register.add_region(session, theirs, "区"),
    ):
        with pytest.raises((RefusedError, UsageError)):
            act()


def test_five_hundred_stores_come_from_one_table(session: Session) -> None:
    register.add_entity(session, MACHINE, EntityFacts(name="测试餐饮"))
    register.add_region(session, MACHINE, "测试一区")
    lines = "\n".join(f"测试{number:03}店\t测试餐饮\t测试一区" for number in range(500))
    arrivals = import_stores(session, MACHINE, f"\ufeff门店\t法人\t区域\r\n{lines}\r\n\r\n", Importing(pin=PIN))
    session.commit()
    assert len({one.token for one in arrivals}) == 500
    assert session.scalar(select(func.count()).where(Store.entity_id.is_not(None), Store.region_id.is_not(None))) == 500
    assert session.scalar(select(func.count()).where(Token.store_id.is_not(None))) == 500


def test_bad_lines_are_named_by_number_and_nothing_is_half_imported(session: Session) -> None:
    register.add_store(session, MACHINE, "老店")
    session.commit()
    table = 'name,entity,region\n一店,,\n老店,,\n二店,没有的,\n一店,,\n"三,店",,没有的\n,,\n四店,,\n'
    with pytest.raises(UsageError) as caught:
        import_stores(session, MACHINE, table, Importing(pin=PIN))
    session.rollback()
    said = str(caught.value)
    assert [part.split(":")[0] for part in said.split("; ")] == ["3", "4", "5", "6"]
    assert count(session, Store) == 1
    assert count(session, Token) == 0


@pytest.mark.parametrize(
    "table",
    [
        "",
        "store,owner\nx,y\n",
        "entity\nx\n",
        "name,name\nx,y\n",
        "name\nx,y,z\n",
        'name\n"x\n',
        "name\n" + "x\n" * 5001,
        "name\n",
    ],
)
def test_what_is_no_table_of_stores_is_refused(session: Session, table: str) -> None:
    with pytest.raises(UsageError):
        import_stores(session, MACHINE, table, Importing(pin=PIN))
    assert count(session, Store) == 0


def test_a_name_is_no_formula_in_the_table_of_tokens(session: Session) -> None:
    names = ["=HYPERLINK(1)", "+1", "@x", '店"引号', "<b>店</b>"]
    table = io.StringIO()
    csv.writer(table).writerows([["name"], *([name] for name in names)])
    arrivals = import_stores(session, MACHINE, table.getvalue(), Importing(pin=PIN))
    rows = list(csv.DictReader(io.StringIO(as_csv(arrivals).decode("utf-8-sig"))))
    assert [row["name"] for row in rows] == ["'=HYPERLINK(1)", "'+1", "'@x", '店"引号', "<b>店</b>"]
    assert all(row["token"].count(".") == 2 for row in rows)


def test_every_change_of_the_register_is_on_record(session: Session) -> None:
    store = register.add_store(session, MACHINE, "一店")
    register.change_store(session, MACHINE, store, name="二店", entity_id=None, region_id=None)
    register.token_for(session, MACHINE, PIN, store)
    register.revoke(session, MACHINE, store)
    register.restore(session, MACHINE, store)
    session.commit()
    acts = list(session.scalars(select(Act.act).where(Act.store_id == store.id).order_by(Act.id)))
    assert acts == ["store.added", "store.changed", "token.made", "store.revoked", "store.restored"]


def test_a_new_token_of_a_store_ends_the_one_before(session: Session) -> None:
    store = register.add_store(session, MACHINE, "一店")
    first = register.token_for(session, MACHINE, PIN, store)[1]
    second = register.token_for(session, MACHINE, PIN, store)[1]
    session.refresh(first)
    assert first.expires_at < second.expires_at
    register.revoke(session, MACHINE, store)
    session.refresh(second)
    assert second.expires_at <= now()
    with pytest.raises(RefusedError, match="is_revoked_now"):
        register.token_for(session, MACHINE, PIN, store)


def test_commands_keep_the_register(office: OfficeProcess, tmp_path: Path, client: httpx.Client) -> None:
    entity = office.call("entity", "add", "命令测试公司", "--kind", "franchise", "--right", "look", "--code", CODE)
    region = office.call("region", "add", "命令测试区")
    table = tmp_path / "stores.csv"
    table.write_bytes("name,entity,region\n命令一店,命令测试公司,命令测试区\n命令二店,,\n".encode("gb18030"))
    done = office.call("stores", "import", str(table), "--tokens", str(tmp_path / "tokens.csv"))
    assert done["stores"] == 2
    assert (tmp_path / "tokens.csv").stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tokens.csv").read_text("utf-8-sig"))))
    first = SpeakingStore(client=client)
    assert first.enrol(rows[0]["token"]).json()["store"] == rows[0]["store"]
    again = fails(office, "stores", "import", str(table), "--tokens", str(tmp_path / "more.csv"))
    assert again.returncode == 2
    assert "2: " in again.stderr
    assert not (tmp_path / "more.csv").exists()
    assert [store["name"] for store in office.call("stores", "list", "--waiting")["stores"]] == ["命令二店"]
    changed = office.call("stores", "change", "命令二店", "--region", "命令测试区")
    assert changed["region_id"] == region["id"]
    assert office.call("entity", "change", entity["id"], "--no-rights")["rights"] == []
    assert fails(office, "entity", "remove", "命令测试公司").returncode == 2
    assert fails(office, "stores", "revoke", "命令二店").returncode == 4
    assert office.call("stores", "revoke", "命令二店", "--yes")["standing"] == "revoked"
    assert fails(office, "token", "--store", changed["id"]).returncode == 4
    taken = fails(office, "token", "--store-name", "命令一店")
    assert taken.returncode == 2
    assert rows[0]["store"] in taken.stderr
    assert office.call("stores", "restore", "命令二店")["standing"] == "waiting"
    first.close()


def fails(office: OfficeProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments, "--home", str(office.folder), "--json"], capture_output=True, text=True, check=False
    )


def form_token(page: str) -> str:
    return page.split('name="form_token" value="')[1].split('"', maxsplit=1)[0]


def post(client: httpx.Client, page: str, path: str, **fields: str) -> httpx.Response:
    token = form_token(client.get(page).text)
    return client.post(path, data={"form_token": token, **fields})


def test_a_store_is_added_moved_given_a_token_and_revoked_by_page(
    office: OfficeProcess, browser_page: httpx.Client, client: httpx.Client
) -> None:
    listed = "/settings/stores"
    hostile = "<img src=x onerror=alert(1)>店"
    assert post(browser_page, "/settings/regions", "/settings/regions", name=hostile).status_code == 303
    shown = post(browser_page, listed, listed, name=hostile)
    assert shown.status_code == 200
    token = shown.text.split("--token ")[1].split("<")[0].strip()
    assert "<img src=x" not in shown.text
    store = SpeakingStore(client=client)
    assert store.enrol(token).status_code == 200
    page = browser_page.get(f"{listed}?q=onerror").text
    assert store.store_id in page
    assert "<img src=x" not in page
    one = f"{listed}/{store.store_id}"
    assert post(browser_page, one, one, name="搬走的店").status_code == 303
    assert "搬走的店" in browser_page.get(one).text
    unconfirmed = post(browser_page, one, f"{one}/revoke")
    assert unconfirmed.status_code == 422
    assert post(browser_page, one, f"{one}/revoke", confirmed="yes").status_code == 303
    assert "已吊销" in browser_page.get(one, headers={"accept-language": "zh-CN"}).text
    assert store.enrol(token).json()["error"] == "token_used"
    assert post(browser_page, one, f"{one}/restore").status_code == 303
    again = post(browser_page, one, f"{one}/token")
    assert again.status_code == 200
    assert browser_page.get(f"{listed}/s-none").status_code == 404
    store.close()


def test_a_pasted_table_gives_the_tokens_once_as_csv(office: OfficeProcess, browser_page: httpx.Client) -> None:
    path = "/settings/stores/import"
    table = "name,entity,region\n" + "".join(f"网页{number}店,,\n" for number in range(40))
    wrong = post(browser_page, path, path, table=table + "网页1店,,\n", **{"as": "csv"})
    assert wrong.status_code == 422
    assert "42:" in wrong.text
    done = post(browser_page, path, path, table=table, **{"as": "csv"})
    assert done.headers["content-type"].startswith("text/csv")
    assert done.headers["cache-control"] == "no-store"
    assert len(list(csv.DictReader(io.StringIO(done.content.decode("utf-8-sig"))))) == 40
    assert "网页" in browser_page.get("/settings/stores?is=waiting&q=网页").text


@pytest.mark.parametrize(
    "path", ["/settings/stores", "/settings/stores/import", "/settings/entities", "/settings/regions"]
)
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_pages_of_the_register_open_in_both_languages(browser_page: httpx.Client, path: str, language: str) -> None:
    page = browser_page.get(path, headers={"accept-language": language})
    assert page.status_code == 200
    assert "hq_register." not in page.text


def test_nobody_without_the_right_sees_the_register(client: httpx.Client) -> None:
    assert client.get("/settings/stores").status_code == 303


def test_the_document_of_a_failed_command_says_what_was_wrong(office: OfficeProcess) -> None:
    done = fails(office, "stores", "change", "没有的店", "--name", "x")
    assert json.loads(done.stdout)["exit_code"] == 2
    assert "没有这家门店" in done.stderr or "no such store" in done.stderr


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(
    ("width", "language"),
    [(390, "en"), *(pytest.param(width, "zh-CN", marks=pytest.mark.slow) for width in (390, 1280))],
)
def test_the_register_has_no_barrier_on_a_desk_or_a_phone(
    office: OfficeProcess, client: httpx.Client, screen: Any, width: int, language: str, tmp_path: Path
) -> None:
    store = SpeakingStore(client=client)
    store.enrol(office.token(f"看得见的店{width}{language}"))
    for instance in ("start-first", "start-second", "start-first"):
        store.instance = instance
        store.report("health", {})
    store.close()
    entity = office.call("entity", "add", f"测试公司{width}{language}", "--kind", "franchise", "--right", "look")
    office.call("region", "add", f"测试区{width}{language}")
    screen.size(width)
    for path in (
        "/settings/stores", "/settings/stores?is=faulty", f"/settings/stores/{store.store_id}",
        "/settings/stores/import", "/settings/entities", f"/settings/entities/{entity['id']}", "/settings/regions",
    ):  # fmt: skip
        screen.go(path, language=language)
        assert screen.barriers() == [], (path, width)
        assert screen.fits(), (path, width)
        name = path.strip("/").replace("/", "-").replace("?", "-").replace(store.store_id, "one")
        (tmp_path / f"{name}.png").write_bytes(screen.page.screenshot(full_page=True))
    assert screen.complaints == []
