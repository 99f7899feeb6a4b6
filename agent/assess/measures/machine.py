"""二.1 网络攻击 and 五.1 技术支持: firewall, intrusion detection, programs that let somebody in, updates, clock."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import ClassVar

from agent.assess.look import SHOWN, Look
from agent.assess.measures.inventory import quoted
from agent.assess.records import Result, bad, good, partial, say, unknown
from agent.isolation.hand import hand_of
from agent.watch.api import BLOCKING
from config.errors import ClocheError


class Firewall:
    """Rules of this machine that refuse what comes in; one in the router is a person's word."""

    id: ClassVar[str] = "firewall"

    def measure(self, look: Look) -> Result:
        """See the class."""
        active, by = self._active(look)
        if active:
            return good(say("assess.ev_firewall", by=by))
        word = look.attested("firewall")
        own = say("assess.ev_no_firewall") if active is False else say("assess.ev_firewall_unseen")
        if word is not None and word.ok:
            return partial(look.limit(self.id, "attested"), "cloche assess attest firewall", look.word(word), own)
        command = "cloche assess attest firewall"
        return bad(command, own) if active is False else unknown(command, own)

    @staticmethod
    def _active(look: Look) -> tuple[bool | None, str]:
        """By the kernel's word through the helper that may ask it; else as far as can be read from here."""
        if look.machine.is_this:
            with contextlib.suppress(ClocheError):
                if hand_of(look.agent.home).filters():
                    return True, "nftables"
        return look.machine.firewall()


class IntrusionDetection:
    """Something that notices intruders: another program, a person's word, and Cloche's own watch over files."""

    id: ClassVar[str] = "intrusion_detection"

    def measure(self, look: Look) -> Result:
        """See the class."""
        running = [one for one in look.machine.programs("intrusion") if one.where == "process"]
        if running:
            return good(*(say("assess.ev_program", product=one.product, where="@assess.where_process")
                          for one in running[:SHOWN]))  # fmt: skip
        word = look.attested("intrusion_detection")
        command = "cloche assess attest intrusion_detection"
        if word is not None and word.ok:
            return partial(look.limit(self.id, "attested"), command, look.word(word))
        if look.agent.watch.tier in BLOCKING:
            return partial(look.limit(self.id, "own"), command, say("assess.ev_own_watch"))
        return bad(command, say("assess.ev_no_detection"))


class RemoteTools:
    """Programs through which somebody outside gets in: agreed with a vendor and named in the settings, or gone."""

    id: ClassVar[str] = "remote_tools"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.security_check.looking import remote_tools
        from agent.security_check.machine import Machine

        agent, root = look.agent, look.machine.root
        machine = Machine(root=root, proc=root / "proc")
        allowed = agent.settings.check.allowed_remote_tools
        found = list(remote_tools(machine, allowed, agent.text.language, agent.mask))
        said = [say("assess.ev_tool", product=one.subject, where="; ".join(one.evidence[:2])) for one in found]
        strange = [one for one in found if one.blocks]
        if not strange:
            return good(*said) if said else good(say("assess.ev_no_remote"))
        units = [
            text.rsplit("/", 1)[-1] for one in strange for text in one.evidence if text.startswith("unit ")
        ]  # fmt: skip
        command = f"systemctl disable --now {quoted(units[0])}" if units else "cloche check"
        return bad(command, *said[: SHOWN * 2], say("assess.ev_remote_rule"))


class SecurityCheck:
    """The last security check of this machine (四.5), clean and not too old."""

    id: ClassVar[str] = "security_check"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.security_check import last_check

        check = last_check(look.agent)
        if check is None:
            return unknown("cloche check", say("assess.ev_never_checked"))
        evidence = say("assess.ev_checked", date=look.day(check.at), findings=len(check.blocking))
        if check.unseen:
            evidence = say("assess.ev_checked_part", date=look.day(check.at), findings=len(check.blocking),
                           unseen=len(check.unseen))  # fmt: skip
        if not check.clean:
            return bad("cloche check", evidence)
        if look.now > check.at + timedelta(days=look.limit(self.id, "days")):
            return partial(0.5, "cloche check", evidence)
        return good(evidence)


class Updates:
    """Security updates, by the package lists at hand, and how old those are."""

    id: ClassVar[str] = "updates"

    def measure(self, look: Look) -> Result:
        """See the class."""
        age = look.machine.packages_age(look.now.timestamp())
        pending = None if age is None else look.machine.pending_updates()
        if age is None or pending is None:
            word = look.attested("updates")
            if word is not None and word.ok:
                return partial(look.limit(self.id, "attested"), "cloche assess attest updates", look.word(word))
            return unknown("cloche assess attest updates", say("assess.ev_updates_unseen"))
        packages, security = pending
        evidence = say("assess.ev_updates", days=int(age), packages=packages, security=security)
        if security:
            return bad("apt-get update && apt-get upgrade", evidence)
        if age > look.limit(self.id, "days"):
            return partial(0.5, "apt-get update && apt-get upgrade", evidence)
        return good(evidence)


class Clock:
    """A clock that is kept right: deadlines of law are counted by it, and evidence is dated by it."""

    id: ClassVar[str] = "clock"

    def measure(self, look: Look) -> Result:
        """See the class."""
        synchronised = look.machine.clock_synchronised()
        if synchronised is None:
            return unknown("timedatectl set-ntp true", say("assess.ev_clock_unseen"))
        if synchronised:
            return good(say("assess.ev_clock"))
        return bad("timedatectl set-ntp true", say("assess.ev_no_clock"))
