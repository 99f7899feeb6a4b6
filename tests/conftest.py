"""What every test gets: probes for what this machine can do, and a check that nothing is left open.

A test says what it needs (`@pytest.mark.needs("fanotify", "smbd")`) and is skipped with the reason where that is
absent. In CI (`CI=true`) any other skip is a failure: a check that is quietly not made is no check.
"""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest

FAN_CLASS_CONTENT: Final = 0x4
KEPT_OPEN: Final = ("/dev/null", "/dev/urandom", "pipe:", "anon_inode:[eventpoll]")


def has_fanotify() -> bool:
    """Permission events can be asked for: needs CAP_SYS_ADMIN and CONFIG_FANOTIFY_ACCESS_PERMISSIONS."""
    descriptor = ctypes.CDLL(None, use_errno=True).fanotify_init(FAN_CLASS_CONTENT, os.O_RDONLY)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


def has_program(name: str) -> Callable[[], bool]:
    """`name` is on the PATH or in sbin."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return lambda: shutil.which(name, path=path) is not None


def has_chinese_font() -> bool:
    """Documents can be made as PDF."""
    from agent.documents.typeset import obstacle

    return obstacle() is None


def has_postgres() -> bool:
    """A private PostgreSQL can be run."""
    from postgres import is_usable

    return is_usable()


PROBES: Final[dict[str, Callable[[], bool]]] = {
    "postgres": has_postgres,
    "root": lambda: os.geteuid() == 0,
    "fanotify": has_fanotify,
    "chinese_font": has_chinese_font,
    **{
        name: has_program(name)
        for name in (
            "smbd", "smbclient", "strace", "setfacl", "chromium", "mount", "tar", "setpriv",
            "systemd-nspawn", "libreoffice", "pdftotext", "ip", "nft",
        )
    },
}  # fmt: skip


ALONE: Final = frozenset({
    "test_guard", "test_guard_dies", "test_guard_kernel", "test_guard_station", "test_line", "test_service",
    "test_watch_samba",
})  # fmt: skip
"""Files whose tests measure milliseconds or need the machine's one Samba: nothing else runs beside them."""
LONG: Final = frozenset({
    "test_command_line", "test_crash", "test_drill_cut", "test_drill_enclosure", "test_drill_scenarios",
    "test_handbook", "test_incident_declare", "test_incident_false_alarm", "test_incident_operations",
    "test_incident_record", "test_incident_scope", "test_isolation", "test_link", "test_no_leak", "test_outbox_weeks",
    "test_plan", "test_protect_commands", "test_quarantine_cuts", "test_quarantining",
    "test_reports", "test_reports_drafts", "test_reports_final", "test_reports_operations", "test_reports_police",
    "test_reports_summary", "test_scan_command", "test_simulated_incidents",
    "test_vendor_copies", "test_vendor_register", "test_vendor_returns", "test_vendor_sharing", "test_vendor_windows",
    "test_axe", "test_axe_rooms", "test_browser_story", "test_case_page", "test_database_failures", "test_fleet",
    "test_fuzz", "test_hostile_agents", "test_hq_kills", "test_hq_no_leak", "test_live", "test_order_pages",
    "test_orders_end_to_end", "test_people", "test_people_browser", "test_register", "test_renewal", "test_search",
    "test_serving",
})  # fmt: skip
"""Files that take longest: they begin first, so that no process waits for one of them at the end."""


def pytest_collection_finish() -> None:
    """What all test files hold is looked at once: a collection over it cost 0.24 s a test."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in ALONE:
            item.add_marker("alone")
    items.sort(key=lambda item: item.path.stem not in LONG)


PAPERS: Final = frozenset({
    "test_assess_collection", "test_assess_history", "test_assess_machine", "test_assess_people",
    "test_assess_readiness", "test_assess_score", "test_assess_strays", "test_assess_tonight", "test_assessment",
    "test_audit_whole", "test_documents", "test_documents_of_rooms", "test_first_report", "test_investigation",
    "test_logistics", "test_notice_campaign", "test_notice_command", "test_purge_operations", "test_reports_drafts",
    "test_reports_final", "test_reports_operations", "test_reports_police", "test_reports_summary", "test_training",
    "test_vendor_copies", "test_vendor_register", "test_vendor_returns", "test_vendor_sharing", "test_vendor_windows",
})  # fmt: skip
"""Files that look at papers themselves."""


@pytest.fixture(autouse=True)
def papers_in_one_format(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rendering is most of a declaration's time: papers are HTML alone where no test looks at them."""
    looks = request.path.stem in PAPERS or request.node.get_closest_marker("papers") is not None
    if not looks and {"agent", "acceptance"} & {part.name for part in request.path.parents}:
        monkeypatch.setattr("agent.documents.write.FORMATS", ("html",))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for feature in marker.args:
            if not PROBES[feature]():
                pytest.skip(f"absent: {feature}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "absent: " not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI without a probe that says what is absent: {reason}"
    return report


def open_descriptors() -> dict[int, str]:
    """Number and target of every descriptor of this process."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """No test leaves a thread or a descriptor behind."""
    threads = set(threading.enumerate())
    before = open_descriptors()
    yield
    deadline = time.monotonic() + 2
    while True:
        left = [thread.name for thread in threading.enumerate() if thread not in threads and thread.is_alive()]
        opened = {
            number: target
            for number, target in open_descriptors().items()
            if before.get(number) != target and not target.startswith(KEPT_OPEN)
        }
        if not left and not opened:
            return
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: threads {left}, descriptors {opened}")
        gc.collect()  # what only a cycle of references holds; after every test it cost a quarter of a second
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def no_home_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test touches the machine's own Cloche, and no setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith("CLOCHE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOCHE_HOME", str(tmp_path_factory.mktemp("home") / "cloche"))
