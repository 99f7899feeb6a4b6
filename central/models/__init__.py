"""Tables of head office, by room. The store's identifier leads every key of what stores send, so that a distributed
PostgreSQL can split it (docs/hq.md); nothing here is ever above masked, and times are UTC.

The explicit list: a table that no module below names does not exist.
"""

from central.models.base import Base, Moment
from central.models.direct import Case, Delivery, OfficerKey, Order
from central.models.history import DayFigures
from central.models.hooks import Webhook, WebhookDelivery
from central.models.people import ApiToken, Attempt, Grant, Login, Person, Substitution
from central.models.persons import PersonSegment
from central.models.record import Act, Fact, View
from central.models.reports import (
    Anchor,
    Gap,
    Paper,
    Section,
    Snapshot,
    StoredAlert,
    StoredDrill,
    StoredEvent,
    StoredIncident,
    StoredReport,
)  # fmt: skip
from central.models.stores import Certificate, Entity, Fault, Instance, Region, Store, StoreKey, Token

__all__ = [
    "Act", "Anchor", "ApiToken", "Attempt", "Base", "Case", "Certificate", "DayFigures", "Delivery", "Entity", "Fact",
    "Fault", "Gap", "Grant", "Instance", "Login", "Moment", "OfficerKey", "Order", "Paper", "Person",
    "PersonSegment", "Region", "Section", "Snapshot", "Store", "StoreKey", "StoredAlert", "StoredDrill",
    "StoredEvent", "StoredIncident", "StoredReport", "Substitution", "Token", "View", "Webhook", "WebhookDelivery",
]  # fmt: skip
