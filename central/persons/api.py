"""`/v1/group-key`: the key of fingerprints, for the memory of a store's daemon alone (docs/wire-v1.md).

The store signs with the key that signs its reports; the answer is sealed to a key that its daemon made in memory, and
signed by head office's order key, so that the link between them can neither read the key nor put in one of its own.
Each giving is on record.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from base64 import b64decode, b64encode
from typing import Final

from msgspec import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from central.answers import answer, busy, other_wire, refusal
from central.database.writer import BusyError
from central.ingest.bodies import TooLargeError, read_body
from central.office import HeadOffice
from central.people.record import note_act
from central.persons.keys import SUITE, persons_keys
from central.stores.faults import note_fault
from central.stores.tls import EXTENSION
from central.wire import (
    GROUP_KEY_SCHEMA,
    HEADER_SIGNATURE,
    decode,
    encode,
    group_key_answer_message,
    group_key_info,
    group_key_message,
    is_signed,
)  # fmt: skip
from config.errors import UsageError
from config.identity import public_key

MAX_ASKED: Final = 16_384


class PersonsApi:
    """Gives the key of fingerprints to stores."""

    def __init__(self, office: HeadOffice) -> None:
        self._office = office

    def routes(self) -> list[Route]:
        """Path and method."""
        return [Route("/v1/group-key", self.group_key, methods=["POST"])]

    async def group_key(self, request: Request) -> Response:
        """A key in, sealed to that key the group key out."""
        if other := other_wire(request):
            return other
        shown = request.scope["extensions"][EXTENSION]
        store_id: str = shown["store"]
        address = request.client.host if request.client else ""
        try:
            body = await read_body(request, MAX_ASKED)
            signature = decode(request.headers.get(HEADER_SIGNATURE, ""))
            if not is_signed(shown["public_key"], group_key_message(body), signature):
                await self._fault(store_id, "signature", address)
                return refusal(401, "signature")
            asked = _read(body)
            sealed = await asyncio.to_thread(self._seal, store_id, asked)
            await asyncio.wrap_future(
                self._office.writer.submit(
                    lambda session: note_act(session, store_id, "group_key.given", address, store_id=store_id)
                )
            )
        except TooLargeError:
            return refusal(413, "too_large")
        except ClientDisconnect:
            return refusal(400, "cut")
        except BusyError:
            return busy()
        except (ValueError, TypeError, KeyError, RecursionError, ValidationError, UsageError):
            await self._fault(store_id, "malformed", address)
            return refusal(422, "malformed")
        return answer(200, sealed)

    def _seal(self, store_id: str, asked: bytes) -> dict[str, str]:
        keys = persons_keys(self._office.trusted.home)
        said = json.dumps({
            "store": store_id, "asked": hashlib.sha256(asked).hexdigest(), "id": keys.group_id,
            "sealed": b64encode(SUITE.encrypt(keys.group, public_key(asked), group_key_info(store_id))).decode(),
            "persons_key": keys.public,
        })  # fmt: skip
        signature = self._office.order_key.private.sign(group_key_answer_message(said.encode()))
        return {"schema": GROUP_KEY_SCHEMA, "body": said, "signature": encode(signature)}

    async def _fault(self, store_id: str, kind: str, address: str) -> None:
        detail = f"asked for the key of fingerprints, from {address}"
        await asyncio.wrap_future(
            self._office.writer.submit(lambda session: note_fault(session, store_id, kind, detail, address=address))
        )


def _read(body: bytes) -> bytes:
    """The key that is asked with.

    Raises:
        ValueError: the body is none.
        UsageError: it is no key.
    """
    document = json.loads(body)
    if not isinstance(document, dict) or document.get("schema") != GROUP_KEY_SCHEMA:
        raise ValueError("not a request for the key")
    asked = b64decode(str(document["key"]), validate=True)
    public_key(asked)
    return asked
