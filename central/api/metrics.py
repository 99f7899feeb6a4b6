"""Figures for Prometheus at /metrics: of the server (requests, waits, errors) and of the database (stores, orders).

Several processes of one server keep theirs in files of one folder (`central.figures`), and any of them tells the sum.

Labels are closed lists: paths of routes, statuses, words. No store, person or place is named. Figures of the database
are read at most every ten seconds, however often somebody asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import case, func, select
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from central.api.words import SILENT_AFTER, WORDS
from central.figures import FOLDER
from central.models import Delivery, Order, Store, WebhookDelivery
from central.moments import now
from central.office import HeadOffice
from central.people.tokens import person_of_token
from config.errors import ClocheError

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
POLLS: Final = "/v1/orders"
KEPT_SECONDS: Final = 10.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Metrics:
    """The figures of this process, and of those it serves beside, in a registry of their own."""

    def __init__(self, office: HeadOffice, certificates: tuple[Path, ...] = ()) -> None:
        self.registry = CollectorRegistry()
        self._office = office
        self.requests = Histogram(
            "cloche_hq_request_seconds", "Time to answer, by the route's path.", ("method", "page", "status"),
            buckets=BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.reports = Counter(
            "cloche_hq_reports", "Reports of stores, by how they were answered.", ("status",), registry=self.registry
        )
        self.database_errors = Counter(
            "cloche_hq_database_errors", "Requests that the database failed.", registry=self.registry
        )
        self.queue = Gauge(
            "cloche_hq_queue_length", "Reports and acts that wait to be written.", registry=self.registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.polls = Gauge(
            "cloche_hq_polls_connected", "Stores that hold a long poll.", registry=self.registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._shown = self.registry
        if FOLDER in os.environ:
            self._shown = CollectorRegistry()
            MultiProcessCollector(self._shown, path=os.environ[FOLDER])  # type: ignore[no-untyped-call]
        self._shown.register(Figures(office, certificates))

    def routes(self) -> list[Route]:
        """/metrics."""
        return [Route("/metrics", self.show, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """The figures, for a token of somebody who may look, or, if the settings say so, for this machine itself."""
        if not await run_in_threadpool(self._may_ask, request):
            return PlainTextResponse("a token is needed\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})
        self.note_queue()
        text = await run_in_threadpool(generate_latest, self._shown)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def note_queue(self) -> None:
        """How much waits to be written, at this moment."""
        self.queue.set(self._office.writer.waiting)

    def _may_ask(self, request: Request) -> bool:
        kind, _space, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token:
            with self._office.sessions() as session:
                viewer = person_of_token(session, token.strip())
            return viewer is not None and viewer.may("look")
        address = request.client.host if request.client else ""
        is_direct = not any(name in request.headers for name in FORWARDED)
        return self._office.settings.api.metrics_on_loopback and is_direct and address in LOOPBACK


class Measured:
    """Middleware: how long each request took, by the path of its route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        is_poll = scope["path"] == POLLS
        try:
            if is_poll:
                self._metrics.polls.inc()
            await self._app(scope, receive, noting)
        finally:
            page = page_of(scope)
            if is_poll:
                self._metrics.polls.dec()
            elif page == "/v1/reports":
                self._metrics.reports.labels(str(status)).inc()
                self._metrics.note_queue()
            if page != POLLS:  # a long poll waits on purpose
                seconds = time.perf_counter() - begun
                self._metrics.requests.labels(method_of(scope), page, str(status)).observe(seconds)


def page_of(scope: Scope) -> str:
    """The path of the route that answered: a bounded list, whatever was asked for."""
    route = scope.get("route")
    path = getattr(route, "path", "")
    if not path:
        return "other"
    return f"{scope.get('root_path', '')}{path}" if scope.get("app_root_path") != scope.get("root_path") else str(path)


def method_of(scope: Scope) -> str:
    """A method, or `other`: a client may invent words."""
    return scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"


class Figures(Collector):
    """What is read when somebody asks."""

    def __init__(self, office: HeadOffice, certificates: tuple[Path, ...]) -> None:
        self._office = office
        self._certificates = certificates
        self._kept: tuple[float, list[Metric]] = (-KEPT_SECONDS, [])

    def describe(self) -> Iterator[Metric]:
        """Nothing is read when the collector is registered."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """The figures of now."""
        if self._certificates:
            days = GaugeMetricFamily(
                "cloche_hq_certificate_days", "Days until a certificate ends.", labels=("certificate",)
            )
            for file in self._certificates:
                days.add_metric([file.stem], days_left(file))
            yield days
        since, kept = self._kept
        if time.monotonic() - since >= KEPT_SECONDS:
            try:
                kept = self._read()
                self._kept = (time.monotonic(), kept)
            except (SQLAlchemyError, ClocheError):
                kept = [gauge("cloche_hq_database_up", "Whether the database answers.", 0)]
        yield from kept

    def _read(self) -> list[Metric]:
        moment = now()
        word: Any = case(
            *((Store.urgency >= place, name) for place, name in WORDS),
            (Store.heard_at.is_(None) | (Store.heard_at < moment - SILENT_AFTER), "silent"),
            (Store.scanned_at.is_(None), "unscanned"),
            else_="fine",
        )
        stores = GaugeMetricFamily(
            "cloche_hq_stores", "Stores by the most urgent thing about them.", labels=("urgency",)
        )
        with self._office.sessions() as session:
            counts = {
                str(name): count
                for name, count in session.execute(
                    select(word, func.count()).where(Store.revoked_at.is_(None)).group_by(word)
                )
            }
            oldest = session.scalar(
                select(func.min(Order.sent_at)).where(
                    Order.sent_at.is_not(None), Order.withdrawn_at.is_(None), Order.expires_at > moment,
                    Order.id.in_(select(Delivery.order_id).where(Delivery.acknowledged_at.is_(None))),
                )
            )  # fmt: skip
            hooks = session.scalar(select(func.count()).where(WebhookDelivery.next_at.is_not(None))) or 0
        for name in (*(name for _place, name in WORDS), "silent", "unscanned", "fine"):
            stores.add_metric([name], counts.get(name, 0))
        age = (moment - oldest).total_seconds() if oldest else 0.0
        return [
            gauge("cloche_hq_database_up", "Whether the database answers.", 1),
            stores,
            gauge("cloche_hq_oldest_unacknowledged_order_seconds", "Age of the oldest order that a store owes.", age),
            gauge("cloche_hq_webhook_deliveries_waiting", "Pieces of news on their way to webhooks.", hooks),
        ]


def gauge(name: str, text: str, value: float) -> Metric:
    """One figure."""
    return GaugeMetricFamily(name, text, value=value)


def days_left(file: Path) -> float:
    """Days until the first certificate of a PEM file ends; -1 where it cannot be read."""
    try:
        until = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return -1.0
    return (until - datetime.now(UTC)).total_seconds() / 86_400
