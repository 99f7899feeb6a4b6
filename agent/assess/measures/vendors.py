"""二.4 第三方服务商: who has customers' data, on what terms, and whether it came back."""

from __future__ import annotations

from typing import ClassVar, Final

from agent.assess.look import SHOWN, Look
from agent.assess.measures.inventory import quoted
from agent.assess.records import Result, Saying, bad, good, not_applicable, partial, say, unknown
from agent.vendors.records import Share, Vendor
from agent.vendors.store import vendors

ENTER: Final = "cloche vendor add NAME --service TEXT"


class VendorRegister:
    """Vendors are registered, or somebody has said that there is none."""

    id: ClassVar[str] = "vendor_register"

    def measure(self, look: Look) -> Result:
        """See the class."""
        known = vendors(look.agent).all()
        if known:
            return good(say("assess.ev_vendors", count=len(known)))
        word = look.attested("no_vendors")
        if word is not None and word.ok:
            return good(look.word(word))
        return unknown(ENTER, say("assess.ev_no_vendors"))


class VendorContracts:
    """Each vendor has a contract in force that obliges it to report; after its end the data is back."""

    id: ClassVar[str] = "vendor_contracts"

    def measure(self, look: Look) -> Result:
        """See the class."""
        store = vendors(look.agent)
        known = store.all()
        if not known:
            return without_vendors(look)
        shares = store.shares()
        wrong = [(vendor, fault) for vendor in known if (fault := self._fault(look, vendor, shares))]
        evidence = say("assess.ev_contracts", count=len(known), fine=len(known) - len(wrong))
        if not wrong:
            return good(evidence)
        vendor = quoted(wrong[0][0].id)
        command = f"cloche vendor contract {vendor} --number NUMBER --from DAY --to DAY --report-hours HOURS"
        named = tuple(fault for _vendor, fault in wrong[:SHOWN])
        score = 1 - len(wrong) / len(known)
        return partial(score, command, evidence, *named) if score else bad(command, evidence, *named)

    @staticmethod
    def _fault(look: Look, vendor: Vendor, shares: list[Share]) -> Saying | None:
        name = look.agent.mask(vendor.name)
        if not vendor.contracts:
            return say("assess.ev_contract_none", name=name)
        last = max(vendor.contracts, key=lambda contract: (contract.ends or "9999", contract.recorded_at))
        out = any(share.vendor == vendor.id and share.state == "open" for share in shares)
        if last.ends and last.ends < look.day(look.now):
            return say("assess.ev_contract_ended", name=name, date=last.ends) if out else None
        return say("assess.ev_contract_silent", name=name) if last.report_hours is None else None


class VendorShares:
    """No share is past its expiry without having come back or been destroyed."""

    id: ClassVar[str] = "vendor_shares"

    def measure(self, look: Look) -> Result:
        """See the class."""
        store = vendors(look.agent)
        if not store.all():
            return without_vendors(look)
        out = store.shares(states=("open",))
        late = [share for share in out if share.is_overdue(look.now)]
        evidence = say("assess.ev_shares", count=len(out), late=len(late))
        if not late:
            return good(evidence)
        names = {vendor.id: look.agent.mask(vendor.name) for vendor in store.all()}
        named = tuple(
            say("assess.ev_share", vendor=names.get(share.vendor, share.vendor), id=share.id,
                date=look.day(share.expires_at))
            for share in late[:SHOWN]
        )  # fmt: skip
        return bad(f"cloche vendor returned {late[0].id}", evidence, *named)


def without_vendors(look: Look) -> Result:
    """Nobody registered: does not apply if somebody has said that there is none, else nobody knows."""
    word = look.attested("no_vendors")
    if word is not None and word.ok:
        return not_applicable(look.word(word))
    return unknown(ENTER, say("assess.ev_no_vendors"))
