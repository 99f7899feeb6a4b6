"""Names and bounds of the folder through which orders come: the link writes there, the daemon reads.

Apart from `agent.link.orders`, so that the daemon, which has no network, does not load an HTTP client.
"""

from __future__ import annotations

import re
from typing import Final

FOLDER: Final = "orders"
ASKING: Final = "orders.json"
NEWS: Final = "news.json"
DELIVERY: Final = re.compile(r"\d{16}\.json")
MAX_DELIVERY: Final = 600_000
"""Bytes of one delivery: an order's text as JSON, which may double it, and its signatures."""
MAX_NEWS: Final = 16_384
