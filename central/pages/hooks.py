"""Settings: webhooks, whom they tell what, how the last deliveries went."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import delete, func, select
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from central.hooks.addresses import check_url
from central.hooks.news import TOPICS
from central.hooks.outbox import make_delivery
from central.hooks.sending import purpose
from central.hooks.signing import make_secret
from central.models import Webhook, WebhookDelivery
from central.moments import now
from central.pages.doors import Doors, Fields, Visit
from config.errors import UsageError
from config.numbering import fresh_letters

PATH: Final = "/settings/hooks"
MOST: Final = 50
SHOWN: Final = 10


class HookPages:
    """Pages and forms of webhooks, for whoever has the right `settings`."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def routes(self) -> list[Route]:
        """Paths."""
        doors = self._doors
        return [
            doors.page(PATH, listing, "settings"),
            doors.form(PATH, self.make, "settings", fresh=True),
            doors.form(PATH + "/{hook}/pause", pause, "settings"),
            doors.form(PATH + "/{hook}/resume", resume, "settings"),
            doors.form(PATH + "/{hook}/try", try_out, "settings"),
            doors.form(PATH + "/{hook}/remove", remove, "settings", fresh=True),
            doors.form(PATH + "/{hook}/secret", self.renew_secret, "settings", fresh=True),
        ]

    def make(self, visit: Visit, fields: Fields) -> str | Response:
        """Make a webhook and show its secret, once."""
        topics = [topic for topic in TOPICS if topic in fields.all("topic")]
        if not topics:
            raise UsageError("hq_hooks.no_topic")
        url = check_url(fields.text("url", most=500), private=visit.office.settings.hooks.private_addresses)
        if (visit.session.scalar(select(func.count()).select_from(Webhook)) or 0) >= MOST:
            raise UsageError("hq_hooks.too_many")
        secret, hook_id = make_secret(), f"h-{fresh_letters(12)}"
        row = Webhook(
            id=hook_id, url=url, topics=topics, made_at=now(), by_id=visit.viewer.person_id, paused_at=None,
            secret=visit.office.secrets.encrypt(secret.encode(), purpose(hook_id)),
        )  # fmt: skip
        visit.session.add(row)
        visit.session.flush()
        visit.note("hook.made", f"{row.id} {row.url} {' '.join(topics)}")
        return self._doors.show(visit, "hook_secret.html", {"hook": row, "secret": secret, "refresh": 0})

    def renew_secret(self, visit: Visit, _fields: Fields) -> str | Response:
        """A new secret in place of the old one; deliveries that wait are signed with the new one."""
        row = _hook(visit)
        secret = make_secret()
        row.secret = visit.office.secrets.encrypt(secret.encode(), purpose(row.id))
        visit.note("hook.secret", row.id)
        return self._doors.show(visit, "hook_secret.html", {"hook": row, "secret": secret, "refresh": 0})


def listing(visit: Visit) -> tuple[str, dict[str, Any]]:
    """All webhooks with their last deliveries."""
    hooks = visit.session.scalars(select(Webhook).order_by(Webhook.made_at)).all()
    last = {
        hook.id: visit.session.scalars(
            select(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == hook.id)
            .order_by(WebhookDelivery.made_at.desc())
            .limit(SHOWN)
        ).all()
        for hook in hooks
    }
    waiting = dict(
        visit.session.execute(
            select(WebhookDelivery.webhook_id, func.count())
            .where(WebhookDelivery.next_at.is_not(None))
            .group_by(WebhookDelivery.webhook_id)
        ).all()
    )
    return "hooks.html", {"hooks": hooks, "last": last, "waiting": waiting, "topics": TOPICS, "refresh": 0}


def pause(visit: Visit, _fields: Fields) -> str:
    """Tell it nothing more; what waits stays."""
    row = _hook(visit)
    row.paused_at = row.paused_at or now()
    visit.note("hook.paused", row.id)
    return PATH


def resume(visit: Visit, _fields: Fields) -> str:
    """Go on; news of the time between is not told."""
    row = _hook(visit)
    row.paused_at = None
    visit.note("hook.resumed", row.id)
    return PATH


def try_out(visit: Visit, _fields: Fields) -> str:
    """Send a delivery without news."""
    row = _hook(visit)
    visit.session.add(make_delivery(row.id, "test", {"name": visit.office.name}, now()))
    visit.note("hook.tried", row.id)
    return PATH


def remove(visit: Visit, fields: Fields) -> str:
    """Take a webhook away, with what waits for it."""
    row = _hook(visit)
    if fields.optional("confirmed") != "yes":
        raise UsageError("hq_hooks.not_confirmed")
    visit.session.execute(delete(WebhookDelivery).where(WebhookDelivery.webhook_id == row.id))
    visit.session.execute(delete(Webhook).where(Webhook.id == row.id))
    visit.note("hook.removed", f"{row.id} {row.url}")
    return PATH


def _hook(visit: Visit) -> Webhook:
    row = visit.session.get(Webhook, visit.request.path_params["hook"])
    if row is None:
        raise HTTPException(404)
    return row
