"""IPv4 and IPv6 addresses. A four-part version number looks the same: the words before it decide.

Addresses that name no machine of anybody (0.0.0.0, 255.255.255.255, loopback, netmasks) score low.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from scanners.detectors.base import Candidate, Detector, within

FOUR: Final = re.compile(r"(?:(?<![0-9.A-Za-z])|(?<=[iI][pP]))[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9]|\.[0-9]|[A-Za-z])")
SIX: Final = re.compile(
    r"(?:(?<![0-9A-Za-z:.])|(?<=[g-zG-Z\"'\u4e00-\u9fff]:))[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?(?![0-9A-Za-z:]|\.[0-9])"
)
VERSION: Final = re.compile(
    r"(?:version|ver|v|版本|版本号|build|rev|release|固件|firmware|oid|升级到|更新到)[ :=._\-号为\"']{0,3}$",
    re.IGNORECASE,
)
NOBODYS: Final = re.compile(r"(?:0|127|255)\.|::1$|::$")
SCORES: Final = (0.4, 0.6, 0.75)


class IpAddress(Detector):
    """See the module."""

    entity = "IP_ADDRESS"
    looks_at = "dotted"
    words = ("ip", "地址", "host", "addr", "client", "登录", "来源", "ipv4", "ipv6")
    columns = ("ip", "ip地址", "login_ip", "ipaddr", "ip_address", "client_ip")

    def find(self, text: str, start: int, end: int) -> Iterator[Candidate]:
        """Both families."""
        place = text[start:end]
        if "." in place:
            for found in within(FOUR, text, start, end):
                if all(int(part) < 256 and (part == "0" or part[0] != "0") for part in found.group().split(".")):
                    version = VERSION.search(text, max(0, found.start() - 12), found.start())
                    yield self.candidate(text, found, low=bool(version))
        if ":" in place:
            for found in within(SIX, text, start, end):
                try:
                    ipaddress.IPv6Address(found.group())
                except ValueError:
                    continue
                # `a::b` and `dead::beef` are names in programs.
                if len(found.group()) > 5 and any(c.isdigit() for c in found.group()):
                    yield self.candidate(text, found, low=False)

    def candidate(self, text: str, found: re.Match[str], *, low: bool) -> Candidate:
        """A candidate; nobody's addresses and versions score `low`."""
        low = low or NOBODYS.match(found.group()) is not None
        score = 0.2 if low else SCORES[self.context.weigh(text, *found.span()) + 1]
        return Candidate(start=found.start(), end=found.end(), score=score)

    def mask(self, value: str) -> str:
        """The network's first part."""
        return re.split(r"[.:]", value, maxsplit=1)[0] + (".*.*.*" if "." in value else ":*")

    def normalise(self, value: str) -> str:
        """Lower case."""
        return value.lower()
