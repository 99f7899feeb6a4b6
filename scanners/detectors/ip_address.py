"""IPv4 and IPv6 addresses. A four-part version number looks the same: the word before it decides."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from scanners.detectors.base import Candidate, Detector, within

FOUR: Final = re.compile(r"(?:(?<![0-9.A-Za-z])|(?<=[iI][pP]))[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9]|\.[0-9]|[A-Za-z])")
SIX: Final = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z:])")
VERSION: Final = re.compile(r"(?:version|ver|v|版本|build|rev|release|固件)[ :=._\-]{0,3}$", re.IGNORECASE)


class IpAddress(Detector):
    """See the module."""

    entity: ClassVar[str] = "IP_ADDRESS"
    looks_at: ClassVar[Literal["text"]] = "text"
    words: ClassVar[tuple[str, ...]] = ("ip", "地址", "host", "addr", "client", "登录", "来源")
    columns: ClassVar[tuple[str, ...]] = ("ip", "ip地址", "login_ip", "ipaddr", "ip_address", "client_ip")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Both families."""
        if "." in text:
            for found in within(FOUR, text, start, end):
                if all(int(part) < 256 for part in found.group().split(".")):
                    version = VERSION.search(text[max(0, found.start() - 10) : found.start()])
                    yield Candidate(start=found.start(), end=found.end(), score=0.2 if version else 0.6)
        if "::" in text or text.count(":") > 6:
            for found in within(SIX, text, start, end):
                try:
                    ipaddress.IPv6Address(found.group())
                except ValueError:
                    continue
                if len(found.group()) > 2:
                    yield Candidate(start=found.start(), end=found.end(), score=0.6)

    def mask(self, value: str) -> str:
        """The network's first part."""
        return re.split(r"[.:]", value, maxsplit=1)[0] + (".*.*.*" if "." in value else ":*")

    def normalise(self, value: str) -> str:
        """Lower case."""
        return value.lower()
