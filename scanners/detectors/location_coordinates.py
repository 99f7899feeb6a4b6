"""Places on the earth as latitude and longitude in degrees, near enough to be somebody's door.

Four decimals are eleven metres; with fewer it is a district and nobody's. A pair stands alone if one of the two orders
puts it into China and both have five decimals; elsewhere, and for a longitude or latitude by itself, a word is needed.
A lone price, a weight and a floating timestamp are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from scanners.context import LATIN_BEFORE
from scanners.detectors.base import Candidate, Detector, judge_each

DEGREES: Final = r"[+\-]?[0-9]{1,3}\.[0-9]{4,15}"
KEY: Final = r"(?:(?i:lng|lon|long|longitude|lat|latitude)|经度|纬度)[\"']?[:=： ]{1,2}[\"']?"
LINK: Final = rf"[°度]?[NSEW北南东西]?[ \"']{{0,2}}[,，;:|/ ][ \"']{{0,2}}(?:{KEY})?[NSEW北南东西]?"
PAIR: Final = re.compile(rf"(?<![0-9.A-Za-z\-+])({DEGREES}){LINK}({DEGREES})[°度]?(?![0-9]|\.[0-9])")
LONE: Final = re.compile(rf"(?<![0-9.A-Za-z\-+])({DEGREES})(?![0-9]|\.[0-9])")
NAMED: Final = re.compile(
    rf"{LATIN_BEFORE}(?i:lng|lon|longitude|lat|latitude)[\"']? ?[:=：] ?[\"']?$|(?:经度|纬度)[\"']? ?[:=：为]? ?[\"']?$"
)
CHINA: Final = ((3.5, 54.0), (73.0, 136.0))  # latitude, longitude
SCORES: Final = (0.2, 0.35, 0.85)
CHINA_SCORES: Final = (0.4, 0.7, 0.9)
LONE_SCORE: Final = 0.6
PRECISE: Final = 5


def may_be(latitude: float, longitude: float) -> bool:
    """Degrees of the earth."""
    return abs(latitude) <= 90 and abs(longitude) <= 180


def in_china(latitude: float, longitude: float) -> bool:
    """In the box around it."""
    (south, north), (west, east) = CHINA
    return south <= latitude <= north and west <= longitude <= east


class LocationCoordinates(Detector):
    """See the module."""

    entity = "LOCATION_COORDINATES"
    looks_at = "numbers"
    words = (
        "经纬度", "坐标", "定位", "位置", "经度", "纬度", "lat", "lng", "lon", "latitude", "longitude", "location",
        "coordinates", "coord", "gps", "geo", "point", "poi", "latlng",
    )  # fmt: skip
    columns = (
        "经度", "纬度", "经纬度", "坐标", "lat", "lng", "lon", "latitude", "longitude", "latlng", "coordinate",
        "coordinates", "gps",
    )  # fmt: skip

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Pairs, and single values behind their name."""
        if "." not in text[start:end]:
            return
        done = start
        for found in judge_each(PAIR, text, start, end, self.judge_pair):
            yield from judge_each(LONE, text, done, found.start, self.judge_lone)
            yield found
            done = found.end
        yield from judge_each(LONE, text, done, end, self.judge_lone)

    def judge_pair(self, text: str, found: re.Match[str]) -> Candidate | None:
        """Two values, in either order."""
        one, two = float(found.group(1)), float(found.group(2))
        digits = max(sum(c.isdigit() for c in group) for group in found.groups())
        if digits < self.fewest or not (may_be(one, two) or may_be(two, one)):
            return None
        precise = all(len(g) - g.index(".") - 1 >= PRECISE for g in found.groups())
        home = precise and (in_china(one, two) or in_china(two, one))
        score = (CHINA_SCORES if home else SCORES)[self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def judge_lone(self, text: str, found: re.Match[str]) -> Candidate | None:
        """One value, right behind its name."""
        named = NAMED.search(text, max(0, found.start() - 16), found.start())
        if not named or abs(float(found.group())) > 180:
            return None
        return Candidate(start=found.start(), end=found.end(), score=LONE_SCORE)

    def shape(self, value: str) -> float:
        """In a column of degrees, any decimal within their range."""
        best = super().shape(value)
        if re.fullmatch(r"[+\-]?[0-9]{1,3}\.[0-9]{3,16}", value.strip()) and abs(float(value)) <= 180:
            return max(best, 0.4)
        return best

    def mask(self, value: str) -> str:
        """Whole degrees: a hundred kilometres."""
        return ",".join(f"{part}.****" for part in re.findall(r"([+\-]?[0-9]{1,3})\.[0-9]+", value)) or "****"

    def normalise(self, value: str) -> str:
        """The digits, with their points."""
        return ",".join(re.findall(r"[+\-]?[0-9]{1,3}\.[0-9]+", value))
