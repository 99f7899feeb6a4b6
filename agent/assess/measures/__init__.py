"""The explicit list of measures, in the order of the plan. To add one: a class here, its data, its texts."""

from __future__ import annotations

from typing import Final

from agent.assess.measures.api import Measure
from agent.assess.measures.exposure import RemovableMedia, SharedFolders, WorldReadable
from agent.assess.measures.inventory import (
    BlindSpots,
    CollectionExplained,
    CollectionRegister,
    RetentionKept,
    ScanAge,
    Unread,
)
from agent.assess.measures.machine import Clock, Firewall, IntrusionDetection, RemoteTools, SecurityCheck, Updates
from agent.assess.measures.messages import Senders, SmsSignature
from agent.assess.measures.people import Contacts, Roles, SecondPerson, Substitutes
from agent.assess.measures.readiness import (
    Anchored,
    Duties,
    Incidents,
    RecordsKept,
    RecordWhole,
    Review,
    StandingDuties,
)
from agent.assess.measures.storage import (
    Backups,
    Keys,
    PlainBackups,
    RestoreTest,
    SealedShare,
    SealingMode,
    StaleExports,
)
from agent.assess.measures.training import Drills, Policies, Training
from agent.assess.measures.vendors import VendorContracts, VendorRegister, VendorShares
from agent.assess.measures.watching import AlertsHandled, ResponseMode, WatchGaps, WatchTier

MEASURES: Final[tuple[Measure, ...]] = (
    ScanAge(), Unread(), CollectionRegister(), CollectionExplained(), RetentionKept(), BlindSpots(),
    WatchTier(), WatchGaps(), ResponseMode(), AlertsHandled(), Firewall(), IntrusionDetection(), RemoteTools(),
    SecurityCheck(), Updates(), Clock(),
    WorldReadable(), SharedFolders(), RemovableMedia(), Training(), Policies(), Drills(),
    SealedShare(), StaleExports(), PlainBackups(), SealingMode(), Keys(), Backups(), RestoreTest(),
    VendorRegister(), VendorContracts(), VendorShares(),
    Roles(), Contacts(), Substitutes(), SecondPerson(),
    Senders(), SmsSignature(), Incidents(), Duties(),
    RecordWhole(), RecordsKept(), Anchored(), Review(), StandingDuties(),
)  # fmt: skip
