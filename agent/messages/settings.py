"""What the link has to know of the settings: the page in clear, the senders sealed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from agent.link.letters import PAGE

if TYPE_CHECKING:
    from agent.wiring import Agent

SCHEMA = "cloche.page/1"


def revealed(value: Any) -> Any:
    """Settings as JSON values with their secrets in clear: only ever for `Post.put`, which seals."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: revealed(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {name: revealed(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [revealed(inner) for inner in value]
    return value


def announce(agent: Agent) -> None:
    """Put `post/page.json` where the link has something to do: its unit waits for it. Nothing in it is secret.

    Raises:
        ClocheError: the disk refused it.
    """
    senders, page = agent.settings.senders, agent.settings.page
    if not page.listen and not senders.any:
        if agent.post.announced != "":
            agent.post.take_back(PAGE)
            agent.post.announced = ""
        return
    content = json.dumps(
        {
            "schema": SCHEMA, "page": page.model_dump(), "language": agent.settings.store.language,
            "store": agent.settings.store.name, "timezone": agent.settings.store.timezone,
        },
        ensure_ascii=False,
    )  # fmt: skip
    if content != agent.post.announced:
        agent.post.put_plain(PAGE, content.encode())
        agent.post.announced = content
