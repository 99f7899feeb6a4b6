"""A head office that signs whatever it is told to, officers with keys, and a store that has pinned them."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from agent.direction.carrying import carry_out_waiting, recover
from agent.direction.models import OrderRow
from agent.direction.taking import take
from agent.link.order_files import ASKING, FOLDER
from agent.link.trust import Trust, save
from central.wire import encode, order_message, time_message
from config.officers import Officer, OfficerPolicy

STORE = "s-000000000001"


@dataclass
class SigningOffice:
    """Head office's order key and officers' keys, in one hand. `p-1` and `p-3` are from IT."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    officers: dict = field(default_factory=lambda: {f"p-{n}": Ed25519PrivateKey.generate() for n in (1, 2, 3)})
    number: int = 0

    def policy(self, version=1, without=()):
        return OfficerPolicy(
            schema="cloche.officers/1", version=version,
            officers=tuple(
                Officer(
                    person=who, name=f"测试{who}", key=encode(key.public_key().public_bytes_raw()),
                    it=who in ("p-1", "p-3"),
                )
                for who, key in self.officers.items() if who not in without
            ),
        )  # fmt: skip

    def pin(self, agent, **changes):
        values = {"store": STORE, "order_key": self.key.public_key().public_bytes_raw(), "officers": self.policy()}
        save(agent.home, Trust(**values | changes))

    def order(self, kind, params, **changes):
        """The exact text of an order."""
        moment = changes.pop("issued_at", datetime.now(UTC))
        lasts = changes.pop("lasts", timedelta(hours=1))
        values = {
            "schema": "cloche.order/1", "id": f"o-{secrets.token_hex(8)}", "kind": kind, "stores": [STORE],
            "params": params, "case": None, "issued_at": moment.isoformat(),
            "expires_at": (moment + lasts).isoformat(), "by": {"person": "p-9", "name": "测试总部"}, "reason": "演练",
        }  # fmt: skip
        return json.dumps(values | changes, ensure_ascii=False)

    def signatures(self, body, *officers, key=None):
        signed = order_message(body.encode())
        return [{"key": "hq", "signature": encode((key or self.key).sign(signed))}] + [
            {"key": who, "signature": encode(self.officers[who].sign(signed))} for who in officers
        ]

    def time(self, challenge, moment):
        body = json.dumps({"now": moment.isoformat(), "challenge": challenge})
        return {"body": body, "signature": encode(self.key.sign(time_message(body.encode())))}


def lay(agent, number, body, signatures):
    """What the link does with a delivery."""
    folder = agent.home.outbox / FOLDER
    document = {"number": number, "body": body, "signatures": signatures}
    (folder / f"{number:016d}.json").write_text(json.dumps(document, ensure_ascii=False))


def lay_news(agent, **news):
    (agent.home.outbox / FOLDER / "news.json").write_text(json.dumps({"time": None, "wants": []} | news))


def deliver(agent, office, body, *officers, signatures=None):
    """Lay an order down, take it and carry it out; how it stands then, or None where it was not kept."""
    office.number += 1
    lay(agent, office.number, body, office.signatures(body, *officers) if signatures is None else signatures)
    take(agent)
    carry_out_waiting(agent)
    return standing(agent, json.loads(body)["id"])


def standing(agent, order_id):
    with agent.inventory.reading() as session:
        return session.get(OrderRow, order_id)


def all_orders(agent):
    with agent.inventory.reading() as session:
        return list(session.scalars(select(OrderRow)))


def asked(agent):
    """What the daemon has told the link."""
    return json.loads((agent.home.outbox / ASKING).read_text())


def told(agent):
    """Reports of kind `order` that wait for head office."""
    paths = sorted(agent.home.outbox.glob("*.order"))
    return [json.loads(path.read_bytes()[64:])["document"] for path in paths]


def restart(agent):
    """What a start of the daemon does."""
    recover(agent)
    take(agent)
    carry_out_waiting(agent)
