"""Tables of head office, by room. The store's identifier leads every key of what stores send, so that a distributed
PostgreSQL can split it (docs/hq.md); nothing here is ever above masked, and times are UTC.

The explicit list: a table that no module below names does not exist.
"""

from central.models.base import Base, Moment
from central.models.catalogue import Catalogued, Holding, TrainingFigures, VendorShare
from central.models.direct import Case, Delivery, OfficerKey, OfficerVersion, Order
from central.models.history import DayFigures, FleetDay
from central.models.hooks import Duty, NewsMark, OnceKey, Webhook, WebhookDelivery
from central.models.people import (
    ApiToken,
    Attempt,
    Grant,
    Invitation,
    Login,
    PeoplePush,
    Person,
    ProviderRequest,
    RecoveryCode,
    Substitution,
)  # fmt: skip
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
    "Act", "Anchor", "ApiToken", "Attempt", "Base", "Case", "Catalogued", "Certificate", "DayFigures", "Delivery",
    "Duty", "Entity", "Fact", "Fault", "FleetDay", "Gap", "Grant", "Holding", "Instance", "Invitation", "Login",
    "Moment", "NewsMark", "OfficerKey", "OfficerVersion", "OnceKey", "Order", "Paper", "PeoplePush", "Person",
    "PersonSegment", "ProviderRequest", "RecoveryCode", "Region", "Section", "Snapshot", "Store", "StoreKey",
    "StoredAlert", "StoredDrill", "StoredEvent", "StoredIncident", "StoredReport", "Substitution", "Token",
    "TrainingFigures", "VendorShare", "View", "Webhook", "WebhookDelivery",
]  # fmt: skip
