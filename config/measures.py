"""Settings of measures that people order: network isolation, and the security check of this machine."""

from __future__ import annotations

from pydantic import Field

from config.section import Section


class IsolateSettings(Section):
    """With whom this machine goes on talking while it is isolated: ADDRESS[/PREFIX][:PORT[/tcp|/udp]] or a name."""

    on_declare: bool = Field(
        False, description="A declared intrusion or ransomware isolates this machine from the network at once."
    )
    minutes: float = Field(
        0.0,
        ge=0,
        le=43_200,
        description="Minutes after which an isolation ends by itself; 0: not before it is told to.",
    )
    after_reboot: bool = Field(
        False, description="Isolate again after a reboot; without it the reboot ends it, and it is told."
    )
    keep_protected: bool = Field(
        True,
        description="Connections that the till's own programs (`watch.protected_programs`) have at that moment go on.",
    )
    tills: tuple[str, ...] = Field(
        (), description="Who may reach this machine, with this machine's port: tills, tablets (`192.168.1.0/24:3306`)."
    )
    printers: tuple[str, ...] = Field((), description="Receipt and kitchen printers (`192.168.1.50:9100`).")
    payment: tuple[str, ...] = Field((), description="Payment terminals and platforms.")
    delivery: tuple[str, ...] = Field((), description="Delivery platforms.")
    cameras: tuple[str, ...] = Field((), description="Cameras and recorders: an isolation never stops a recording.")
    head_office: tuple[str, ...] = Field((), description="Head office, besides the address of the enrolment.")
    dns: tuple[str, ...] = Field((), description="Resolvers, besides those that this machine uses now.")
    ntp: tuple[str, ...] = Field((), description="Time servers.")
    others: tuple[str, ...] = Field((), description="What else must go on.")


class CheckSettings(Section):
    """What the security check takes for right on this machine."""

    allowed_remote_tools: tuple[str, ...] = Field(
        (), description="Remote-control tools agreed with a vendor, by their id (`todesk`): told, and no finding."
    )
    backups: tuple[str, ...] = Field((), description="Folders that backups of this machine lie in.")
    backup_days: float = Field(7.0, gt=0, description="Days after which the newest backup is too old.")
    scan_hours: float = Field(
        48.0, gt=0, description="Hours for which a scan counts as fresh, while no incident asks for a newer one."
    )
    packages_seconds: float = Field(
        120.0, ge=0, description="Longest time for comparing installed packages with their check sums; 0: not at all."
    )
