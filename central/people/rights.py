"""Who may do what where.

A grant is a role in a scope (everywhere, a legal entity, a region, one store). What a role may do is `ACTS_OF_ROLE`,
from plan.md 三: the management group plans and directs, the response group handles, the store manager sees their own
store. Over a franchise's stores whoever is not granted that entity (or the store) may do only what the agreement says
(`Entity.rights`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal, get_args

from sqlalchemy import ColumnElement, and_, false, or_, select, true
from sqlalchemy.orm import Session

from central.models import Entity, Grant, Person, Store, Substitution
from config.errors import RefusedError
from config.schema import Role

Act = Literal[
    "look", "export", "report", "declare", "direct", "isolate", "rescan", "policy", "drill", "release", "purge",
    "approve", "law", "people", "stores", "record", "settings",
]  # fmt: skip
"""`look`: figures, places and incidents of a store. `direct`: orders, notes, phases of an incident. `approve`: texts
and reports. `law`: clocks and submissions. The last four are about head office itself and need the scope `all`
(`people` and `stores` of an entity: that entity)."""

ACTS: Final[tuple[Act, ...]] = get_args(Act)
_LEAD: Final[frozenset[Act]] = frozenset(
    {
        "look", "export", "report", "declare", "direct", "isolate", "rescan", "policy", "drill", "release", "purge",
        "approve", "law", "people", "stores", "record", "settings",
    }
)  # fmt: skip
ACTS_OF_ROLE: Final[dict[Role, frozenset[Act]]] = {
    "security_lead": _LEAD,
    "security_deputy": _LEAD - {"settings"},
    "security_member": frozenset({"look", "export", "report", "rescan", "drill"}),
    "response_lead": frozenset(
        {"look", "export", "report", "declare", "direct", "isolate", "release", "purge", "approve", "law", "record"}
    ),
    "legal": frozenset({"look", "export", "report", "direct", "release", "purge", "approve", "law", "record"}),
    "privacy_officer": frozenset({"look", "export", "report", "declare", "approve", "law", "record"}),
    "tech_support": frozenset({"look", "report", "direct", "isolate", "rescan"}),
    "customer_service": frozenset({"look", "report", "direct"}),
    "department_head": frozenset({"look", "report", "direct", "approve"}),
    "logistics": frozenset({"look", "report", "direct"}),
    "area_manager": frozenset({"look", "export", "report", "declare", "rescan", "drill"}),
    "store_manager": frozenset({"look", "report", "declare"}),
    "franchisee": frozenset({"look", "export", "report", "declare", "direct", "rescan", "drill", "approve"}),
}

OFFICE_ACTS: Final[frozenset[Act]] = frozenset({"people", "stores", "record", "settings"})
FRANCHISE_ACTS: Final[tuple[Act, ...]] = (
    "look", "export", "report", "declare", "direct", "isolate", "rescan", "policy", "drill", "release", "purge",
)  # fmt: skip
"""What an agreement with a franchisee may allow head office, in the order of the settings page."""


@dataclass(frozen=True, kw_only=True)
class Right:
    """A grant as it stands today."""

    role: Role
    scope: str
    scope_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Somebody who is logged in (or whose token a program uses), with what they may do now."""

    person_id: str
    name: str
    language: str = "zh-CN"
    rights: tuple[Right, ...] = ()
    agreements: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    """Franchise entities, and what head office may do there."""
    limit: frozenset[str] | None = None
    """Acts that an API token is held to; None: a person is there."""
    token_id: str = ""

    @property
    def roles(self) -> frozenset[str]:
        """All roles held somewhere."""
        return frozenset(right.role for right in self.rights)

    def may(self, act: Act, store: Store | None = None) -> bool:
        """Whether this act is allowed: in this store, or, without one, somewhere."""
        holding = self.holding(act)
        if store is None:
            return any(right.scope == "all" or act not in ("record", "settings") for right in holding)
        return any(self._reaches(right, act, store) for right in holding)

    def require(self, act: Act, store: Store | None = None) -> None:
        """Go on only if it is allowed.

        Raises:
            RefusedError: it is not; the message is the act.
        """
        if not self.may(act, store):
            raise RefusedError(act)

    def visible(self, act: Act = "look") -> ColumnElement[bool]:
        """SQL condition on `Store`: where this act is allowed."""
        holding = self.holding(act)
        own = [franchise for franchise, acts in self.agreements.items() if act not in acts]
        outside = Store.entity_id.is_(None) | Store.entity_id.not_in(own) if own else true()
        parts: list[ColumnElement[bool]] = []
        for right in holding:
            match right.scope:
                case "all":
                    parts.append(outside)
                case "region":
                    parts.append(and_(Store.region_id == right.scope_id, outside))
                case "entity":
                    parts.append(Store.entity_id == right.scope_id)
                case "store":
                    parts.append(Store.id == right.scope_id)
        return or_(*parts) if parts else false()

    def holding(self, act: Act) -> list[Right]:
        """Rights by which this act is allowed somewhere."""
        if self.limit is not None and act not in self.limit:
            return []
        return [right for right in self.rights if act in ACTS_OF_ROLE[right.role]]

    def _reaches(self, right: Right, act: Act, store: Store) -> bool:
        agreed = store.entity_id not in self.agreements or act in self.agreements[store.entity_id]
        match right.scope:
            case "all":
                return agreed
            case "region":
                return agreed and store.region_id == right.scope_id
            case "entity":
                return store.entity_id == right.scope_id
            case _:
                return store.id == right.scope_id


def viewer_of(session: Session, person: Person, today: date) -> Viewer:
    """A person with their own grants and those of whom they stand in for today."""
    standing_in = select(Substitution.person_id).where(
        Substitution.substitute_id == person.id,
        Substitution.first <= today,
        or_(Substitution.last.is_(None), Substitution.last >= today),
    )
    grants = session.scalars(select(Grant).where(or_(Grant.person_id == person.id, Grant.person_id.in_(standing_in))))
    franchises = session.scalars(select(Entity).where(Entity.kind == "franchise"))
    rights = {Right(role=grant.role, scope=grant.scope, scope_id=grant.scope_id) for grant in grants}  # type: ignore[arg-type]
    return Viewer(
        person_id=person.id, name=person.name, language=person.language,
        rights=tuple(sorted(rights, key=lambda right: (right.role, right.scope, right.scope_id)))
        if person.left_at is None else (),
        agreements={entity.id: frozenset(entity.rights) for entity in franchises},
    )  # fmt: skip
