"""What a worker tells of a person: fingerprints, types of information, whose the record is. Never a value by itself.

One record is one row of a table, or one entry of a running text. Its keys are 64-bit fingerprints under the run's own
random key (`scanners.fingerprints`), 0 where there is none: they tell persons apart within one run and say nothing
afterwards. The values that a list of persons needs travel beside the records, and only when a list is made.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from scanners.records import Subject

Slot = Literal["phone", "other_phone", "mail", "document", "member", "weak"]
SLOTS: Final[tuple[Slot, ...]] = ("phone", "other_phone", "mail", "document", "member", "weak")
PHONE, OTHER_PHONE, MAIL, DOCUMENT, MEMBER, WEAK = range(len(SLOTS))
STRONG: Final = (PHONE, OTHER_PHONE, MAIL, DOCUMENT, MEMBER)
"""A person is known again by any of these; `weak` (card, account, plate, name) counts where none of them is."""

DOCUMENTS: Final = frozenset({
    "CN_RESIDENT_ID", "CN_PASSPORT", "CN_TRAVEL_PERMIT", "CN_FOREIGNER_ID", "HK_ID_CARD", "MO_ID_CARD",
    "TW_NATIONAL_ID",
})  # fmt: skip
WEAKER: Final = ("CREDIT_CARD", "WECHAT_ID", "QQ_NUMBER", "CN_LICENSE_PLATE", "PERSON")
"""From the strongest to the weakest; a name stands with the address where there is one."""
SLOT_OF: Final[dict[str, int]] = {
    "PHONE_NUMBER": PHONE, "EMAIL_ADDRESS": MAIL, "MEMBER_ID": MEMBER, **dict.fromkeys(DOCUMENTS, DOCUMENT),
}  # fmt: skip

CUSTOMER, STAFF, SUPPLIER, ORGANISATION = range(4)
SIDES: Final[dict[Subject, int]] = {
    "customer": CUSTOMER, "unknown": CUSTOMER, "staff": STAFF, "supplier": SUPPLIER, "organisation": ORGANISATION,
}  # fmt: skip
"""Whose a column is, as far as it is told; who is not known to be staff is a customer, and is told."""

PERSON, VIRTUAL, MASKED = range(3)
"""Somebody; only a number that a delivery platform lends for hours; only a starred contact, which reaches nobody."""

MOST_TYPES: Final = 63
RECORD: Final = np.dtype([("keys", "<u8", (len(SLOTS),)), ("types", "<u8"), ("side", "<u4"), ("what", "<u4")])
"""`types` has a bit for each entity of the message's list, `side` one of `SIDES`, `what` PERSON, VIRTUAL or MASKED."""

PHONE_VALUE, OTHER_PHONE_VALUE, MAIL_VALUE, NAME_VALUE = range(4)
LONGEST_VALUES: Final = (32, 32, 128, 40)
"""Characters of each value that travel beside a record: two numbers in their normal form, a mailbox, a name."""
Values = tuple[str, str, str, str]

Records = NDArray[np.void]
