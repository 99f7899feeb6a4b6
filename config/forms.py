"""Fields of the forms that authorities and the plan ask for: the closed list, and which of them people may fill in.

Both sides need it: a store fills the fields, head office shows what is missing and sends what the lawyer wrote.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

FieldName = Literal[
    "organisation", "system", "summary", "found", "occurred", "finder", "place", "kind", "grade", "impact", "types",
    "counts", "measures", "effect", "results", "course", "scene", "evidence", "tracing", "cause", "harm", "advice",
    "remedies", "contact", "dpo", "authorities", "next_steps", "improvements", "responsibility", "late_reason",
    "ransom", "trend", "help", "loss", "linked", "brand_contacts", "continuity", "backup", "legal_analysis",
    "brand_procedures", "card_authentication", "card_origin", "other",
]  # fmt: skip
FIELDS: Final[tuple[FieldName, ...]] = get_args(FieldName)
"""What a form may ask for: named in `law.field_<name>`; filled from the record, or by people."""
IN_SETTINGS: Final[frozenset[FieldName]] = frozenset({"contact", "dpo"})
"""Their telephone numbers would be masked in a report: they stand in the store's settings alone."""
