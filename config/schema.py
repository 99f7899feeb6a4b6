"""The settings: one schema makes the checks, the sample file and the reference page.

Every key has a default that is safe for a till; the service starts in `observe` and only alerts.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from config.direction import DirectionSettings
from config.measures import CheckSettings, IsolateSettings
from config.messaging import PageSettings, SendersSettings
from config.notice import NoticeSettings
from config.patterns import check_pattern
from config.section import Section
from config.text import Language
from config.vendors import CATCH_ALL, VendorSettings

ItemKind = Literal[
    "text", "csv", "json", "sql_dump", "sqlite", "spreadsheet", "document", "pdf", "archive", "mail", "image",
    "binary", "table", "sealed", "other",
]  # fmt: skip
LevelPack = Literal["gbt-35273", "gbt-45574", "gbt-43697", "jrt-0197"]
Response = Literal["alert", "stop", "declare"]
Role = Literal[
    "security_lead", "security_deputy", "security_member", "response_lead", "legal", "tech_support",
    "customer_service", "department_head", "logistics", "store_manager", "area_manager", "franchisee",
    "privacy_officer",
]  # fmt: skip
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


def known_zone(name: str) -> str:
    """An IANA time zone that this machine knows.

    Raises:
        ValueError: it knows none of that name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone") from error
    return name


class StoreSettings(Section):
    """Which store this is."""

    name: str = Field("未命名门店", description="Name of the store as people say it.")
    legal_entity: str = Field("", description="统一社会信用代码 of the legal entity the store belongs to.")
    province: str = Field("", description="Province whose authorities reports of this store go to.")
    language: Language = Field("zh-CN", description="Language of texts for people.")
    timezone: Annotated[str, AfterValidator(known_zone)] = Field(
        "Asia/Shanghai", description="IANA time zone of the store."
    )
    trading_hours: tuple[ClockTime, ...] = Field(
        (), description="Hours in which the scheduled scan rests, as HH:MM-HH:MM in the store's time zone."
    )


class ScanSettings(Section):
    """What is scanned, and how hard."""

    roots: tuple[str, ...] = Field((), description="Folders the daemon scans.")
    exclude: tuple[str, ...] = Field(
        (), description="Glob patterns of paths to skip; each skipped item is counted as `skipped`."
    )
    interval_hours: float = Field(24.0, gt=0, description="Time between scheduled scans.")
    workers: int = Field(2, ge=1, le=64, description="Worker processes.")
    names: bool = Field(True, description="Look for names and addresses (the slow part).")
    item_timeout_seconds: float = Field(60.0, gt=0, description="A worker that needs longer for one item is killed.")
    timeout_seconds_per_mb: float = Field(
        4.0, ge=0, description="Seconds that a large file gets beyond that for each MiB of it."
    )
    worker_memory_mb: int = Field(512, ge=128, description="Address space beyond the start of one worker, in MiB.")
    max_archive_depth: int = Field(4, ge=0, description="Archives within archives.")
    max_expansion: int = Field(200, ge=1, description="Bytes read out of an archive for each byte of it.")
    max_expanded_mb: int = Field(4096, ge=1, description="MiB read out of one archive at most.")


SafePattern = Annotated[str, AfterValidator(check_pattern)]
MaybePattern = Annotated[str, AfterValidator(lambda pattern: check_pattern(pattern) if pattern else "")]
EntityName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,39}$")]


class CustomDetector(Section):
    """An entity of one's own."""

    entity: EntityName = Field(description="Its name in findings, such as STAFF_NO.")
    pattern: SafePattern = Field(description="Regular expression of a value; every repeat with an upper bound.")
    words: tuple[str, ...] = Field((), description="Words beside a value that speak for it.")
    columns: tuple[str, ...] = Field((), description="Names of columns that hold it.")
    score: float = Field(0.5, ge=0, le=1, description="Score of a value without such a word; with one 0.3 more.")
    mask: Literal["all", "ends", "last4"] = Field("all", description="What is starred of a shown value.")


class DetectSettings(Section):
    """Which entities are looked for."""

    threshold: float = Field(0.5, ge=0.3, le=1, description="Score from which a span is accepted.")
    countries: tuple[str, ...] = Field(
        (), description="ISO 3166 codes whose national recognizers of Presidio are switched on (slow)."
    )
    levels: LevelPack = Field(
        "gbt-35273",
        description="Standard that levels and scores follow: gbt-35273, gbt-45574, gbt-43697 or jrt-0197.",
    )
    exclude: tuple[EntityName, ...] = Field((), description="Entities that are not looked for.")
    allow: tuple[str, ...] = Field(
        (), description="Values that are no findings in any written form, such as the shop's own 400 number."
    )
    allow_patterns: tuple[SafePattern, ...] = Field(
        (), description="Regular expressions; a value that one matches whole is no finding."
    )
    member_pattern: MaybePattern = Field(
        "", description="Regular expression of this chain's member numbers, found as MEMBER_ID: `VIP[0-9]{8}`."
    )
    custom: tuple[CustomDetector, ...] = Field(
        (),
        description="Further entities, a table each: entity, pattern; words, columns, score, mask (all, ends, last4).",
    )


class ProtectSettings(Section):
    """What the daemon seals by itself."""

    mode: Literal["observe", "protect"] = Field("observe", description="`observe` says what it would seal.")
    min_level: int = Field(3, ge=1, le=4, description="Level from which an item is sealed.")
    quiet_minutes: float = Field(60.0, ge=0, description="Time since the last change before an item is sealed.")
    kinds: tuple[ItemKind, ...] = Field(
        ("csv", "json", "sql_dump", "spreadsheet", "document", "pdf", "archive"),
        description="Kinds of item that are exports, backups or documents.",
    )
    exclude: tuple[str, ...] = Field((), description="Glob patterns of paths never sealed by the daemon.")


class WatchSettings(Section):
    """Who may read how much, and what follows."""

    enabled: bool = Field(True, description="Watch inventoried files.")
    max_files: int = Field(5, ge=1, description="Distinct customer files a session or user may read in the window.")
    max_persons: int = Field(500, ge=1, description="Estimated persons a session or user may read in the window.")
    window_seconds: float = Field(600.0, gt=0, description="Length of the window.")
    response: Response = Field("alert", description="What follows a crossed bound.")
    decoy_response: Response = Field("alert", description="What follows a touched decoy.")
    decoys: tuple[str, ...] = Field((), description="Files that nobody should touch.")
    shared_servers: tuple[str, ...] = Field(
        ("smbd", "cupsd", "nmbd", "winbindd", "mysqld", "mariadbd", "postgres", "sqlservr", "redis-server", "nginx",
         "systemd", "dbus-daemon", "sshd"),
        description="Programs (base names or paths) never stopped: their file is denied, their one client cut.",
    )  # fmt: skip
    protected_programs: tuple[str, ...] = Field(
        (),
        description="The till's own programs (paths): never bounded, never stopped, their files never moved.",
    )
    exempt_programs: tuple[str, ...] = Field(
        (), description="Backup programs (paths) whose reads are not counted, root-owned executables only."
    )


class RespondSettings(Section):
    """What a declared incident does by itself."""

    contain: bool = Field(True, description="A declaration quarantines the affected data at once.")
    stop_holders: bool = Field(True, description="Stop processes that hold affected data (never shared servers).")
    answer_minutes: float = Field(
        15.0, gt=0, description="Minutes in which an order must be acknowledged before it is repeated, then escalated."
    )
    single_handed: str = Field(
        "",
        description="Why this shop has nobody for a second approval; it is put on record with every act. "
        "Empty: two persons are needed.",
    )
    regimes: tuple[str, ...] = Field(
        (), description="Laws that apply here besides the usual ones: `<regime>` or `<regime>/<duty>`, as in `eu-gdpr`."
    )


class LinkSettings(Section):
    """How the link reaches head office."""

    retry_seconds: float = Field(5.0, gt=0, description="First pause after a failure; doubled, with jitter.")
    max_retry_seconds: float = Field(600.0, gt=0, description="Longest pause.")
    max_spool_bytes: int = Field(
        256 << 20,
        ge=1 << 20,
        description="Bytes of reports that may wait for head office. Beyond, scheduled scans pause and less urgent "
        "reports wait in the databases; incidents, alerts and the record go in all the same. Nothing is dropped.",
    )
    max_spool_reports: int = Field(100_000, ge=100, description="The same bound, as a number of reports.")


class LegalEntity(Section):
    """Who answers for data before the law, beside or instead of the one named under `store`."""

    name: str = Field(description="Registered name.")
    code: str = Field("", pattern=r"^([0-9A-HJ-NPQRTUWXY]{18})?$", description="统一社会信用代码 (GB 32100).")
    province: str = Field("", description="Province whose authorities its reports go to.")
    address: str = Field("", description="Registered address, for forms.")
    contact: str = Field("", description="Contact person and telephone for authorities.")
    data: tuple[str, ...] = Field(
        (), description="Folders whose customer information it answers for; empty: whatever no other entity names."
    )


class Person(Section):
    """Somebody with a role on this machine."""

    name: str = Field(description="As they are called.")
    roles: tuple[Role, ...] = Field(description="Roles of the emergency plan.")
    user: str = Field("", description="Account on this server, if any.")
    contact: str = Field("", description="How they are reached; shown on tombstones and reports.")
    email: str = Field("", description="Mailbox that orders and codes go to.")
    phone: str = Field("", description="Mobile that orders and codes go to by SMS, where a gateway is configured.")
    substitute: str = Field("", description="Name of the person who takes over while this one does not answer.")


class Settings(Section):
    """All settings. Also as environment: `CLOCHE_SECTION__KEY`."""

    store: StoreSettings = StoreSettings()
    scan: ScanSettings = ScanSettings()
    detect: DetectSettings = DetectSettings()
    protect: ProtectSettings = ProtectSettings()
    watch: WatchSettings = WatchSettings()
    respond: RespondSettings = RespondSettings()
    link: LinkSettings = LinkSettings()
    direction: DirectionSettings = DirectionSettings()
    senders: SendersSettings = SendersSettings()
    page: PageSettings = PageSettings()
    notice: NoticeSettings = NoticeSettings()
    vendors: VendorSettings = VendorSettings()
    isolate: IsolateSettings = IsolateSettings()
    check: CheckSettings = CheckSettings()
    entities: tuple[LegalEntity, ...] = Field(
        (), description="Legal entities whose customers' information lies here. None: the one of `store`."
    )
    people: tuple[Person, ...] = Field((), description="People and their roles; HQ's list wins once enrolled.")

    @property
    def detecting(self) -> DetectSettings:
        """What is looked for, without the canaries: numbers and mailboxes of the chain's own are nobody's data."""
        patterns = tuple(
            r"[A-Za-z0-9._%+-]{1,64}@" + re.escape(mail.removeprefix(CATCH_ALL))
            for mail in self.vendors.canary_emails
            if mail.startswith(CATCH_ALL)
        )
        mails = tuple(mail for mail in self.vendors.canary_emails if not mail.startswith(CATCH_ALL))
        return self.detect.model_copy(
            update={
                "allow": (*self.detect.allow, *self.vendors.canary_phones, *mails),
                "allow_patterns": (*self.detect.allow_patterns, *patterns),
            }
        )
