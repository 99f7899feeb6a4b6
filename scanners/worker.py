"""A scan worker: a process that opens hostile files, and has nothing to lose.

Run as `python -I -m scanners.worker` with a Unix socket as its standard input. It loads all that it will need, then
gives up every right, and takes jobs: a message and the descriptors of one file. It opens no path of a customer's.
"""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Final

from scanners.contacts import Gathering
from scanners.distinct import packed
from scanners.engine import Analyser
from scanners.extract.api import Budget, Extractor, Source
from scanners.extract.formats import EXTRACTORS, database_extractors
from scanners.person_records import MOST_TYPES, Records, Values
from scanners.reading import ItemReport, Reader
from scanners.sandbox import confine
from scanners.warm import load_everything
from scanners.wire import (
    MAX_KEYS,
    FindingMessage,
    Hello,
    ItemMessage,
    Job,
    PersonsMessage,
    PlaceMessage,
    SignMessage,
    clean,
    pack,
)

_SMALL: Final = 16 << 20  # an archive this small may always grow to this: ratios of tiny logs are harmless


def main() -> int:
    """Serve until the socket closes."""
    channel = socket.socket(fileno=os.dup(0))
    parent = os.getppid()
    hello = Hello.model_validate(json.loads(channel.recv(1 << 20)))
    analyser = Analyser(hello.detect, names=hello.names, run_key=bytes.fromhex(hello.run_key))
    analyser.warm_up()
    load_everything(analyser)
    gathering = _gathering(analyser, channel, hello)
    scan = hello.scan
    confine(memory_mb=scan.worker_memory_mb, file_mb=scan.max_expanded_mb, parent=parent)
    channel.sendall(pack(SignMessage(type="ready")))
    while True:
        data, descriptors, _flags, _address = socket.recv_fds(channel, 1 << 16, 2)
        if not data:
            return 0
        job = Job(**json.loads(data))
        if gathering:
            gathering.wants_values = job.values
        reader = Reader(
            analyser=analyser,
            extractors=_extractors(job, descriptors),
            max_depth=scan.max_archive_depth,
            emit=lambda report: channel.sendall(frame(report)),
            opened=lambda: channel.sendall(pack(SignMessage(type="opened"))),
        )
        limit = min(scan.max_expanded_mb << 20, max(scan.max_expansion * job.size, _SMALL))
        stream = io.BufferedReader(io.FileIO(descriptors[0], "r"), 1 << 16)
        with stream:
            source = Source(name=job.name, stream=stream, size=job.size, seekable=True, budget=Budget(limit))
            reader.read(source, job.seconds)
        if gathering:
            gathering.flush()
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        channel.sendall(pack(SignMessage(type="done")))


def _gathering(analyser: Analyser, channel: socket.socket, hello: Hello) -> Gathering | None:
    """What persons are gathered with, where they are asked for; made when the samples have been read."""
    if not hello.persons:
        return None
    entities = tuple(analyser.entities[:MOST_TYPES])

    def emit(records: Records, values: list[Values]) -> None:
        cleaned = tuple((clean(a), clean(b), clean(c), clean(d)) for a, b, c, d in values)
        packed_records = base64.b64encode(records.tobytes()).decode("ascii")
        channel.sendall(pack(PersonsMessage(entities=entities, records=packed_records, values=cleaned)))

    analyser.gathering = Gathering(
        entities=entities, fingerprints=analyser.fingerprints, normalise=analyser.normalise, emit=emit,
    )  # fmt: skip
    return analyser.gathering


def _extractors(job: Job, descriptors: list[int]) -> Sequence[Extractor]:
    if not job.database:
        return EXTRACTORS
    return database_extractors(descriptors[1] if len(descriptors) > 1 else -1, job.path)


def frame(report: ItemReport) -> bytes:
    """An item as a message, cut to what the other side takes."""
    message = ItemMessage(
        order=report.order,
        suffix=report.suffix.decode("iso-8859-1")[:8192],
        kind=report.kind,
        status=report.status,
        reason=report.reason,
        encoding=report.encoding,
        size=report.size,
        level=report.level,
        score=report.score,
        about=report.about,
        records=report.records,
        persons=report.persons,
        findings=tuple(
            FindingMessage(
                entity=finding.entity,
                count=finding.count,
                distinct=finding.distinct,
                confidence=finding.confidence,
                place=PlaceMessage(
                    table=_cut(finding.place.table),
                    column=_cut(finding.place.column),
                    member=_cut(finding.place.member),
                    page=finding.place.page,
                    line=finding.place.line,
                ),
                samples=tuple(_cut(sample) or "" for sample in finding.samples[:16]),
                nature=finding.nature,
                subject=finding.subject,
            )
            for finding in report.findings[:5000]
        ),
    )
    return pack(message, packed(report.person_keys, MAX_KEYS))


def _cut(text: str | None) -> str | None:
    return None if text is None else clean(text)[:512]


if __name__ == "__main__":
    fcntl.fcntl(0, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    sys.exit(main())
