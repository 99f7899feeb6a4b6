"""Answers that cost more than they change: kept for some seconds by who may see what, in this process alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from central.people.rights import Viewer

Answer = TypeVar("Answer")
MOST: Final = 256


class Remembered(Generic[Answer]):
    """Remembers answers for `seconds`. Limit: two who ask for the same at once may both have it made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, Answer]] = {}

    def get(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """The answer under a key, made anew if there is none or it is too old."""
        moment = self._clock()
        with self._lock:
            until, answer = self._kept.get(key, (moment, None))
        if answer is not None and moment < until:
            return answer
        made = make()
        with self._lock:
            if len(self._kept) >= MOST:
                self._kept = {name: entry for name, entry in self._kept.items() if moment < entry[0]}
                if len(self._kept) >= MOST:
                    self._kept.clear()
            self._kept[key] = (moment + self._seconds, made)
        return made


def sight_of(viewer: Viewer) -> Hashable:
    """What a viewer may see, as a key: the same for two people with the same rights."""
    agreements = tuple(sorted((entity, tuple(sorted(acts))) for entity, acts in viewer.agreements.items()))
    return viewer.rights, agreements
