"""Documents and pictures of incidents, handed out so that nothing in one can act: a store is authentic, not trusted.

A picture is shown only where a page shows it (`<img>`), under a policy of its own in which it may load and run nothing;
everything else is a download. The content is digested once more: what does not fit is not handed out.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from central.models import Paper
from central.pages.doors import Doors, Visit
from config.errors import UsageError
from config.text import Text

POLICY: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
SHOWN: Final = frozenset({"image/svg+xml", "image/png", "image/jpeg"})
MEDIA: Final[dict[str, str]] = {
    "image/svg+xml": "image/svg+xml", "image/png": "image/png", "image/jpeg": "image/jpeg",
    "text/html": "text/html; charset=utf-8", "application/pdf": "application/pdf",
    "text/plain": "text/plain; charset=utf-8",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}  # fmt: skip
"""Media that are named to a browser; anything else is bytes."""


def routes(doors: Doors) -> list[Route]:
    """Path of a paper; its name may have a folder (`drafts/NAME`)."""
    return [doors.page("/papers/{store}/{incident}/{name:path}", one_paper)]


def one_paper(visit: Visit) -> Response:
    """The paper.

    Raises:
        HTTPException: 404: it is not here, or its store may not be looked at.
        UsageError: it does not fit the digest under which it came.
    """
    store = visit.store()
    key = (store.id, visit.request.path_params["incident"], visit.request.path_params["name"])
    paper = visit.session.get(Paper, key)
    if paper is None:
        raise HTTPException(404)
    if not hmac.compare_digest(hashlib.sha256(paper.content).hexdigest(), paper.sha256):
        raise UsageError(Text("en" if visit.language == "en" else "zh-CN")("hq_incident.paper_broken"))
    is_shown = paper.media in SHOWN
    file_name = paper.name.rpartition("/")[2]
    if not is_shown:
        visit.note("paper", f"{key[1]} {paper.name}"[:300], store_id=store.id)
    return Response(
        paper.content,
        media_type=MEDIA.get(paper.media, "application/octet-stream"),
        headers={
            "Content-Security-Policy": POLICY,
            "Content-Disposition": f"{'inline' if is_shown else 'attachment'}; filename*=UTF-8''{quote(file_name)}",
            "X-Content-Type-Options": "nosniff",
            "ETag": f'"{paper.sha256}"',
        },
    )
