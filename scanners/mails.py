"""Plainly written addresses of mail, found around all their signs at once.

Plain is `name@domain` with a name of fewer than `WIDTH` characters that begins with a letter or digit, and nothing odd
on either side; every other sign is for `EmailAddress.find`. The domain is judged by the detector's own pattern, once
for each that occurs.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from scanners.detectors.email_address import DOMAIN, FILES, LOCAL_CHARACTERS
from scanners.places import Truths, table_of
from scanners.units import DIGIT, LETTER, Positions, Units

WIDTH: Final = 40
MOST_DOMAINS: Final = 4_096
LOCAL: Final = table_of("".join(LOCAL_CHARACTERS))
OF_DOMAIN: Final = table_of("abcdefghijklmnopqrstuvwxyz0123456789.-")


class PlainMails:
    """Finds them; remembers domains."""

    def __init__(self) -> None:
        """Know no domain yet."""
        self.lengths: dict[str, int] = {}

    def find(self, units: Units, signs: Positions) -> tuple[Positions, Positions, Truths]:
        """Starts and ends of plain addresses, and which of the `signs` (places of `@`) they have."""
        steps = np.arange(WIDTH)
        before = units.codes_at(signs[:, None] - 1 - steps)
        name = np.logical_and.accumulate(LOCAL[before], axis=1).sum(axis=1)
        dots = before == ord(".")
        twice = (dots[:, 1:] & dots[:, :-1] & (steps[1:] < name[:, None])).any(axis=1)
        first = units.flags_at(signs - name) & (LETTER | DIGIT)
        behind = OF_DOMAIN[units.codes_at(signs[:, None] + 1 + steps)]
        domain = np.logical_and.accumulate(behind, axis=1).sum(axis=1)
        plain = (name > 0) & (name < WIDTH) & (first != 0) & ~dots[:, 0] & ~twice & (domain > 0) & (domain < WIDTH)
        plain = np.flatnonzero(plain)
        text = units.text
        bounds = zip((signs[plain] + 1).tolist(), (signs[plain] + 1 + domain[plain]).tolist(), strict=True)
        length = np.array([self.length(text[low:high]) for low, high in bounds], dtype=np.int64)
        plain, length = plain[length > 0], length[length > 0]
        taken = np.zeros(len(signs), dtype=bool)
        taken[plain] = True
        return signs[plain] - name[plain], signs[plain] + 1 + length, taken

    def length(self, run: str) -> int:
        """How much of a run of a domain's characters is a domain; 0 if nothing plainly is."""
        known = self.lengths.get(run)
        if known is None:
            if len(self.lengths) >= MOST_DOMAINS:
                self.lengths.clear()
            found = DOMAIN.match(run)
            fits = found is not None and found.group().rsplit(".", 1)[1].lower() not in FILES
            known = self.lengths[run] = found.end() if found is not None and fits else 0
        return known
