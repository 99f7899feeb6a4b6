"""An incident to report, and who asks for it: what tests of reports share."""

from contextlib import contextmanager
from datetime import UTC, datetime

from shops import Clock

from agent.documents.model import Bullets, Facts, Paragraph, Table
from agent.incident.course import Course
from agent.incident.moments import zone_of
from agent.incident.records import Affected, Incident
from agent.incident.store import incidents
from agent.incident.wording import Wording
from agent.operation import Caller, Request
from agent.wiring import build_agent
from config.home import find_home
from config.identity import make_identity
from config.schema import Settings
from config.text import Text

FOUND = datetime(2026, 11, 23, 3, 58, tzinfo=UTC)
PLANTED = "13800001111"
QUICK = ("html", "docx")
OWNER = Caller(uid=0, gid=0, pid=1, user="root", is_owner=True)
LAWYER = Caller(uid=1001, gid=1001, pid=1, user="lawyer", roles=frozenset({"legal"}))
CASHIER = Caller(uid=1002, gid=1002, pid=1, user="cashier", roles=frozenset({"customer_service"}))
STRANGER = Caller(uid=1003, gid=1003, pid=1, user="waiter")
SETTINGS = {
    "store": {"name": "测试门店", "legal_entity": "91310000TEXTCARD01", "province": "上海"},
    "people": [
        {"name": "王测试", "roles": ["legal", "privacy_officer"], "user": "lawyer", "contact": "138 0000 0000"},
        {"name": "李样例", "roles": ["response_lead"], "user": "lead"},
    ],
    "senders": {"mode": "record"},
}  # fmt: skip


@contextmanager
def opened(tmp_path, wall=None, **changes):
    home = find_home(tmp_path / "home")
    home.create()
    with build_agent(home, Settings.model_validate({**SETTINGS, **changes}), now=wall or Clock(FOUND)) as agent:
        agent.keyring.adopt(make_identity("recovery").public)
        yield agent


def stored(agent, **changes):
    """An incident as it is stored after a declaration, without the documents that a declaration writes."""
    values = {
        "id": "", "kind": "insider", "phase": "responding", "machine": False, "summary": "有人在拷贝会员名单",
        "place": "二楼办公室", "types": ("PHONE_NUMBER", "CREDIT_CARD"), "by": "王测试", "scope": "named",
        "discovered_at": agent.now(), "occurred_at": None, "reported_at": agent.now(), "declared_at": agent.now(),
        "handling_ended_at": None, "closed_at": None, "files": 1, "persons": 300,
    }  # fmt: skip
    incident = incidents(agent).add(Incident(**{**values, **changes}), agent.now())
    course = Course(agent, incident.id, "王测试")
    course.record("declare", scope="named", files=1, machine=False)
    course.record("deny", files=1, denied=1, tier="permission")
    if incident.files:
        item = Affected(key="k", path=b"/srv/a.csv", name="/srv/会员.csv", persons=300, types=("PHONE_NUMBER",),
                        state="vault", vault_id="v")  # fmt: skip
        incidents(agent).set_items(incident.id, [item])
    return incidents(agent).get(incident.id)


def ask(caller=OWNER, **arguments):
    return Request(arguments=arguments, caller=caller)


def words_of(document):
    """Everything that a document says."""
    found = [document.title, document.subtitle, document.lead, *document.notices, document.stamp, document.head]
    for block in document.blocks:
        match block:
            case Facts() | Table():
                found += [cell for row in (*([block.header] if isinstance(block, Table) else []), *block.rows)
                          for cell in row]  # fmt: skip
            case Bullets():
                found += block.items
            case Paragraph():
                found.append(block.text)
            case _:
                found.append(getattr(block, "text", ""))
    return "\n".join(found)


def in_(language, agent):
    return Wording(Text(language), zone_of(agent.settings.store.timezone))


def ended(agent, incident):
    incidents(agent).change(incident.id, phase="reviewing", handling_ended_at=agent.now())
    return incidents(agent).get(incident.id)
