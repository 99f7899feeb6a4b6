"""Masked forms: what may be shown of a value, and of a text that holds some.

Cheap to import and to run (no Presidio, no model): the root daemon passes every path, command line and note through
`mask_text` before it leaves the inventory. It errs towards masking: besides what the detectors accept, every run of
eleven or more digits goes, and names by rules. What it cannot see is a name that no rule knows, in a file name without
a surname, a title or a word like 身份证 beside it: only the tagger would, and that one lives in the workers.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from scanners.detectors import DETECTORS, Detector
from scanners.name_rules import RULED_ADDRESS, NameRules
from scanners.written import to_plain

PLAUSIBLE: Final = 0.3
UNSHOWN: Final = "******"  # of credentials and track data: nothing is shown
# Eleven digits or more with the separators people use, masked whatever they are; an X may end an id.
LONG_NUMBER: Final = re.compile(r"(?<![0-9*])\+?[0-9](?:[ \-._·]?[0-9*]){10,}[Xx]?")
# Whatever looks like an address of mail to a reader, though RFC 5321 forbids it (`.a..b@qq.com`).
LOOSE_MAIL: Final = re.compile(r"[^\s@/\\<>\"'=:,;()]{1,64}@[A-Za-z0-9\-.]{1,255}\.[A-Za-z]{2,}")
CITY: Final = re.compile("[\u4e00-\u9fff]{1,12}?(?:自治区|[省市区县旗州盟])")
OF_PERSON: Final = re.compile(
    "([\u4e00-\u9fff]{2,4}?)(?=的?(?:身份证|户口本|护照|银行卡|病历|简历|体检|处方|合同|发票|照片|手机号|电话))"
)
GENERIC: Final = re.compile(
    "香港|澳门|台湾|台胞|居民|临时|外国|员工|客户|会员|顾客|本人|我的|店长|老板|全部|所有|法人|用户|新|旧|年|月|上传|扫描|正面|反面|复印|公司|门店"
)


@cache
def by_entity() -> dict[str, Detector]:
    """The detectors by their entity."""
    return {detector.entity: detector for detector in DETECTORS}


@cache
def name_rules() -> NameRules:
    """The rules for names, compiled once."""
    return NameRules()


def mask_name(value: str) -> str:
    """张*: the surname alone, two characters of a compound one; the first letter of a Latin name."""
    value = value.strip()
    if not value:
        return ""
    first = value[:2] if value[:2] in name_rules().compounds and len(value) > 2 else value[0]
    return first + "*" * max(1, min(2, len(value) - len(first)))


def mask_address(value: str) -> str:
    """The city or district, and nothing behind it; without one, nothing."""
    kept = 0
    for _ in range(3):
        found = CITY.match(value, kept)
        if not found or found.end() > 16:
            break
        kept = found.end()
    return value[:kept] + "***"


def mask_value(entity: str, value: str) -> str:
    """The masked form of one value of `entity`, as its detector defines it.

    Entities without a detector of ours (Presidio's national ones) keep their first and last character when longer than
    six, else nothing.
    """
    if entity == "PERSON":
        return mask_name(value)
    if entity == "ADDRESS":
        return mask_address(value)
    detector = by_entity().get(entity)
    if detector:
        return detector.mask(to_plain(value).text)
    return value[0] + "*" * (len(value) - 2) + value[-1] if len(value) > 6 else "*" * len(value)


def mask_text(text: str) -> str:
    """`text` with every value in it replaced by its masked form; masking twice changes nothing.

    Offsets are not kept. Surrogates and NULs pass through.
    """
    plain = to_plain(text)
    spans: list[tuple[int, int, str]] = []
    for detector in fitting(plain.text):
        for found in detector.find(plain.text, 0, len(plain.text)):
            shown = found.nature == "masked" or (found.nature == "organisation" and detector.entity != "CREDENTIAL")
            if found.score >= PLAUSIBLE and not shown:
                spans.append((found.start, found.end, detector.mask(plain.text[found.start : found.end])))
    spans += [(m.start(), m.end(), mask_number(m.group())) for m in LONG_NUMBER.finditer(plain.text)]
    if "@" in plain.text:
        mail = by_entity()["EMAIL_ADDRESS"]
        spans += [(m.start(), m.end(), mail.mask(m.group())) for m in LOOSE_MAIL.finditer(plain.text)]
    if not plain.text.isascii():
        spans += name_spans(plain.text)
    return replace(text, [(*plain.span(start, end), masked) for start, end, masked in spans])


def fitting(text: str) -> list[Detector]:
    """Detectors that may find something: nearly all of a server's paths hold neither digits nor their words.

    Addresses of machines stay readable: whoever answers an alert needs them.
    """
    low = text.lower()
    digits = sum(character.isdigit() for character in text)
    return [
        detector
        for detector in DETECTORS
        if detector.entity != "IP_ADDRESS"
        and (
            digits >= detector.fewest if detector.looks_at == "numbers" else any(a in low for a in anchors_of(detector))
        )
    ]


@cache
def anchors_of(detector: Detector) -> tuple[str, ...]:
    """A detector's literal anchors in lower case."""
    return tuple(anchor.lower() for anchor in detector.anchors)


def mask_number(digits: str) -> str:
    """A long number of any kind: a mobile in its own form, else three and two digits of it."""
    bare = re.sub(r"[^0-9Xx*]", "", digits)
    if "*" in bare:
        return bare if re.search(r"\*{4}", bare) and len(re.sub(r"\*", "", bare)) <= 7 else "*" * len(bare)
    if len(bare) == 11 and bare[0] == "1":
        return f"{bare[:3]}****{bare[-4:]}"
    return bare[:3] + "*" * (len(bare) - 5) + bare[-2:]


def name_spans(text: str) -> list[tuple[int, int, str]]:
    """Names and addresses by rules alone."""
    rules = name_rules()
    spans = [(n.start, n.end, mask_name(text[n.start : n.end])) for n in rules.find(text)]
    for found in OF_PERSON.finditer(text):
        name = found.group(1)
        apart = found.start() == 0 or not "\u4e00" <= text[found.start() - 1] <= "\u9fff"
        if apart and not GENERIC.match(name):
            spans.append((found.start(), found.end(), mask_name(name)))
            continue
        for low in range(len(name) - 1):
            if rules.has_surname(name[low:]) and name[low : low + 2] not in rules.not_names:
                spans.append((found.start() + low, found.end(), mask_name(name[low:])))
                break
    return spans + [(a.start(), a.end(), mask_address(a.group())) for a in RULED_ADDRESS.finditer(text)]


def replace(text: str, spans: list[tuple[int, int, str]]) -> str:
    """Put the masked forms in; of spans that overlap the union is masked, in the form of the longest.

    A secret's form goes before any other: the rest of an address of mail would show the end of a password.
    """
    parts: list[str] = []
    done = 0
    cluster: list[tuple[int, int, str]] = []
    for span in [*sorted(spans), (len(text) + 1, len(text) + 1, "")]:
        if cluster and span[0] >= max(end for _, end, _ in cluster):
            start, end = cluster[0][0], max(end for _, end, _ in cluster)
            form = max(cluster, key=lambda s: (s[2] == UNSHOWN, s[1] - s[0]))[2]
            parts += [text[done:start], form]
            done = end
            cluster = []
        cluster.append(span)
    parts.append(text[done:])
    return "".join(parts)
