"""A store whose clocks a test moves, with incidents that bring duties: what the tests of duties share."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agent.incident.course import Course
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.steady import Beat
from agent.wiring import build_agent
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings

DAY = datetime  # hypothesis wants bounds without a zone
FOUND = datetime(2026, 11, 23, 3, 58, tzinfo=UTC)
PEOPLE = [
    {"name": "王测试", "roles": ["legal"], "email": "wang@example.com", "substitute": "赵测试"},
    {"name": "赵测试", "roles": ["department_head"], "email": "zhao@example.com"},
    {"name": "李样例", "roles": ["response_lead", "security_lead"], "email": "li@example.com"},
]
STORE = {"name": "测试门店", "legal_entity": "91310000TEXTCARD01", "province": "上海"}


@dataclass
class Clocks:
    """A wall clock and the count beside it, each moved as a test likes."""

    wall: datetime = FOUND
    seconds: float = 1000.0
    boot: str = "a"
    jumped: list = field(default_factory=list)

    def now(self):
        return self.wall

    def beat(self):
        return Beat(boot=self.boot, seconds=self.seconds)

    def sleep(self, **span):
        """Time goes by."""
        self.wall += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()

    def set_wall(self, **span):
        """Somebody sets the clock."""
        self.wall += timedelta(**span)

    def reboot(self, **off):
        self.wall += timedelta(**off)
        self.boot, self.seconds = self.boot + "x", 3.0


@contextmanager
def opened(tmp_path, clock=None, **changes):
    clock = clock or Clocks()
    home = find_home(tmp_path / "home")
    home.create()
    values = {"store": STORE, "people": PEOPLE, "senders": {"mode": "record"}, **changes}
    with build_agent(home, Settings.model_validate(values), now=clock.now, steady=clock.beat) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield agent


def reported(agent, **changes):
    """A reported incident as it is stored, without the documents that a report writes."""
    now = agent.now()
    values = {"phase": "reported", "scope": None, "discovered_at": now, "reported_at": now, "declared_at": None,
              "summary": "有人在拷贝会员名单", "files": 0, "persons": 0}  # fmt: skip
    values = {**values, **changes, "summary": agent.mask(changes.get("summary", values["summary"]))}
    incident = incidents(agent).add(an_incident(**values), now)
    Course(agent, incident.id, "王测试").record("report")
    return incidents(agent).get(incident.id)


def an_incident(**changes):
    values = {
        "id": "I20261123-1a2b", "kind": "insider", "phase": "responding", "machine": False, "summary": "x",
        "place": "", "types": (), "by": "王测试", "scope": "named", "discovered_at": FOUND, "occurred_at": None,
        "reported_at": None, "declared_at": FOUND + timedelta(hours=3), "handling_ended_at": None,
        "closed_at": None, "files": 1, "persons": 10,
    }  # fmt: skip
    return Incident(**{**values, **changes})


def clock_named(found, key):
    return next(clock for clock in found if clock.key == key)


def touching(agent, incident, *paths):
    incidents(agent).set_items(
        incident.id,
        [
            Affected(
                key=f"k{number}", path=path.encode(), name=path, persons=10 * (number + 1), types=("PHONE_NUMBER",)
            )
            for number, path in enumerate(paths)
        ],
    )
    return incidents(agent).get(incident.id)
