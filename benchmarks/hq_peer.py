"""The peer of bench_hq_ingest.py: `hq_peer.py OFFICE-FOLDER DATABASE-URL`. Mutual TLS, no other check, raw bodies into
a table, what waits committed together with the same durability."""

from __future__ import annotations

import asyncio
import queue
import socket
import sqlite3
import ssl
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import uvicorn

WAITING: queue.Queue[tuple[bytes, asyncio.Future[None]]] = queue.Queue()


def write(url: str, loop: asyncio.AbstractEventLoop) -> None:
    """Insert all that waits, commit, answer."""
    if url.startswith("sqlite"):
        light = sqlite3.connect(url.removeprefix("sqlite:///"))
        light.execute("PRAGMA journal_mode=WAL")
        light.execute("PRAGMA synchronous=FULL")
        light.execute("CREATE TABLE IF NOT EXISTS raw (body BLOB)")
        light.commit()
    else:
        heavy = psycopg.connect(url)
        heavy.execute("CREATE TABLE IF NOT EXISTS raw (body bytea)")
        heavy.commit()
    while True:
        batch = [WAITING.get()]
        while len(batch) < 200 and not WAITING.empty():
            batch.append(WAITING.get_nowait())
        rows = [(body,) for body, _ in batch]
        if url.startswith("sqlite"):
            light.executemany("INSERT INTO raw VALUES (?)", rows)
            light.commit()
        else:
            heavy.cursor().executemany("INSERT INTO raw VALUES (%b)", rows)
            heavy.commit()
        loop.call_soon_threadsafe(settle, [future for _, future in batch])


def settle(futures: list[asyncio.Future[None]]) -> None:
    """They are on disk."""
    for future in futures:
        if not future.done():
            future.set_result(None)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Body in, 200 out."""
    if scope["type"] != "http":
        return
    pieces, is_more = [], True
    while is_more:
        message = await receive()
        pieces.append(message.get("body", b""))
        is_more = message.get("more_body", False)
    future = asyncio.get_running_loop().create_future()
    WAITING.put((b"".join(pieces), future))
    await future
    body = b'{"outcome":"accepted"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Server(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        loop = asyncio.get_running_loop()
        threading.Thread(target=write, args=(sys.argv[2], loop), daemon=True).start()
        assert sockets
        print(f"https://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)


def main() -> None:
    """Serve until told to stop."""
    folder = Path(sys.argv[1])
    config = uvicorn.Config(
        app, ssl_certfile=folder / "server.pem", ssl_keyfile=str(folder / "server.key"),
        ssl_ca_certs=str(folder / "ca.pem"), ssl_cert_reqs=ssl.CERT_REQUIRED, log_config=None, access_log=False,
        lifespan="off", http="httptools", loop="uvloop",
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
