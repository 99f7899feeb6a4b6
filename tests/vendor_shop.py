"""A store with vendors, lists to share and canaries: what tests of vendors share."""

import csv
import io
import os
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from shops import Clock

from agent.operation import Caller, Request
from agent.vendors import operations, sharing, tracing
from agent.vendors.opening import Book, unpack
from agent.vendors.store import vendors
from agent.wiring import build_agent
from config.home import find_home
from config.identity import encode_public, make_identity
from config.schema import Settings
from config.text import Text

START = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
PHONES = [f"1390000{n:04d}" for n in range(1, 13)]
SETTINGS = {
    "store": {"name": "测试一店"},
    "scan": {"names": False},
    "vendors": {
        "canary_phones": PHONES, "canary_emails": ["*@chain.example"], "canary_names": ["甄测试", "贾样例"],
        "canaries": 4,
    },
    "people": [
        {"name": "王测试", "roles": ["store_manager"], "user": "manager", "email": "manager@example.com"},
        {"name": "李样例", "roles": ["tech_support"], "user": "tech"},
    ],
}  # fmt: skip
VENDOR = make_identity("vendor")
RECOVERY = make_identity("recovery")


@contextmanager
def opened(folder, settings=SETTINGS):
    home = find_home(folder / "home")
    home.create()
    clock = Clock(START)
    with build_agent(home, Settings.model_validate(settings), now=clock) as agent:
        agent.keyring.adopt(RECOVERY.public)
        yield agent, clock


def ask(agent, function, arguments, descriptors=(), user="manager", *, is_owner=False):
    roles = frozenset(role for person in agent.settings.people if person.user == user for role in person.roles)
    caller = Caller(uid=1000, gid=1000, pid=1, user=user, roles=roles, is_owner=is_owner)
    return function(agent, Request(arguments=arguments, caller=caller, descriptors=tuple(descriptors)))


@contextmanager
def descriptors(*files):
    found = [os.open(file, os.O_RDONLY | os.O_CLOEXEC) for file in files]
    try:
        yield found
    finally:
        for descriptor in found:
            os.close(descriptor)


def members(count=120, start=0, encoding="gb18030"):
    target = io.StringIO()
    writer = csv.writer(target)
    writer.writerow(["会员号", "姓名", "手机号", "邮箱", "备注"])
    for n in range(start, start + count):
        writer.writerow([f"M{n:06d}", "王测试", f"138{n:08d}", f"t{n}@example.com", "测试数据"])
    return target.getvalue().encode(encoding)


def register(agent, name="测试快印", key=VENDOR, begins="2026-01-01", ends="2026-12-31"):
    ask(agent, operations.add, {"name": name, "public_key": encode_public(key.public)})
    ask(
        agent, operations.contract,
        {"vendor": name, "number": "HT-1", "begins": begins, "ends": ends, "report_hours": 24, "audit_right": True},
    )  # fmt: skip
    return vendors(agent).get(name)


@pytest.fixture(autouse=True)
def without_forms(monkeypatch):
    """Eighteen documents a share are made once, in test_vendor_copies; the other tests are not about them."""
    monkeypatch.setattr(sharing.forms, "write_forms", lambda *_given: [])


def share(agent, folder, *files, vendor="测试快印", user="manager", **more):
    package = folder / f"{vendor}-{len(vendors(agent).shares())}.clochepkg"
    target = os.open(package, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with descriptors(*files) as sources:
            arguments = {"vendor": vendor, "purpose": "寄送会员卡", "names": [file.name for file in files], **more}
            answer = ask(agent, sharing.share, arguments, (target, *sources), user)
    finally:
        os.close(target)
    return package, answer.document


def unpacked(package, folder, now=START, key=VENDOR, **more):
    book = Book(folder / "opened.json")
    with descriptors(package) as (descriptor,):
        return unpack(descriptor, key, folder / package.stem, book, now, text=Text("en"), **more)


def trace(agent, file, key_file=None, **more):
    with descriptors(file, *([key_file] if key_file else [])) as found:
        return ask(agent, tracing.trace, {"name": file.name, **more}, found).document
