"""二.1 网络攻击 and 五.1 技术支持: firewall, intrusion detection, programs that let somebody in, updates, clock."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from agent.assess.look import SHOWN, Look
from agent.assess.records import Result, bad, good, partial, say, unknown
from agent.watch.api import BLOCKING


class Firewall:
    """Rules of this machine that refuse what comes in; one in the router is a person's word."""

    id: ClassVar[str] = "firewall"

    def measure(self, look: Look) -> Result:
        """See the class."""
        active, by = look.machine.firewall()
        if active:
            return good(say("assess.ev_firewall", by=by))
        word = look.attested("firewall")
        own = say("assess.ev_no_firewall") if active is False else say("assess.ev_firewall_unseen")
        if word is not None and word.ok:
            return partial(look.limit(self.id, "attested"), "cloche assess attest firewall", look.word(word), own)
        command = "cloche assess attest firewall"
        return bad(command, own) if active is False else unknown(command, own)


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
    """Programs through which somebody outside gets in: each known to a person, or gone."""

    id: ClassVar[str] = "remote_tools"

    def measure(self, look: Look) -> Result:
        """See the class."""
        seen = look.machine.programs("remote")
        if not seen:
            return good(say("assess.ev_no_remote"))
        named = [
            say("assess.ev_program", product=one.product, where=f"@assess.where_{one.where}") for one in seen
        ]  # fmt: skip
        word = look.attested("remote_tools")
        products = {one.product.lower() for one in seen}
        if word is not None and word.ok and all(product in word.note.lower() for product in products):
            return good(look.word(word), *named)
        note = ", ".join(sorted(one.product for one in seen))
        return bad(f"cloche assess attest remote_tools --note '{note}'", *named, say("assess.ev_remote_rule"))


class SecurityCheck:
    """The last security check of this machine (四.5), clean and not too old."""

    id: ClassVar[str] = "security_check"

    def measure(self, look: Look) -> Result:
        """See the class."""
        from agent.security_check import last_check

        check = last_check(look.agent)
        if check is None:
            return unknown("cloche check", say("assess.ev_never_checked"))
        evidence = say("assess.ev_checked", date=look.day(check.at), findings=len(check.findings))
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
