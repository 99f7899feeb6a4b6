"""Load what Python and the libraries load at first need, while this process may still open files.

A worker that became nobody may not read the interpreter's own modules (they can lie under somebody's home folder):
a codec or parser asked for later would be "unknown". Every codec is loaded, and one small sample of each format read.
"""

from __future__ import annotations

import codecs
import encodings
import io
import pkgutil
from typing import Final

from scanners.extract.api import Budget, Source
from scanners.extract.formats import EXTRACTORS
from scanners.reading import ItemAnalyser, Reader

_SAMPLES: Final = (
    ("a.txt", "电话 13800001111，客户测试甲，地址上海市测试路1号。\n".encode("gb18030")),
    ("b.txt", "Straße, déjà vu, naïve, Ärger, œuvre, señor, façade\n".encode("cp1252") * 4),
    ("c.txt", "これはテストです。電話番号を教えてください。\n".encode("shift_jis") * 4),
    ("d.csv", "姓名,电话\n测试甲,13800001111\n".encode()),
    ("e.html", b"<html><body><p>text &amp; more</p><table><tr><td>a</td></tr></table></body></html>"),
    ("f.json", b'[{"a": 1}]'),
    (
        "g.eml",
        (
            b"From: =?gb2312?B?suLK1A==?= <a@example.com>\r\nSubject: =?utf-8?Q?=E6=B5=8B?= \xb2\xe2\xca\xd4\r\n"
            b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; "
            b"charset=gb2312\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=B2=E2\r\n--x\r\nContent-Type: "
            b"application/octet-stream\r\nContent-Disposition: attachment; filename*=utf-8''a.txt\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n--x--\r\n"
        ),
    ),
    ("h.rtf", b"{\\rtf1\\ansi\\ansicpg936 \\'b2\\'e2\\par}"),
    ("i.sql", b"CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\n"),
)


def load_everything(analyser: ItemAnalyser) -> None:
    """See the module; the analyser loads its models by the way."""
    for module in pkgutil.iter_modules(encodings.__path__):
        try:
            codecs.lookup(module.name)
        except LookupError:
            continue  # `aliases`, and codecs of other systems
    reader = Reader(analyser=analyser, extractors=EXTRACTORS, max_depth=4, emit=lambda _report: None)
    for name, data in _SAMPLES:
        source = Source(name=name, stream=io.BytesIO(data), size=len(data), seekable=True, budget=Budget(1 << 20))
        reader.read(source, 60.0)
