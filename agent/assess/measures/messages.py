"""四.2, 四.3: people and customers can be reached, it was tried, and the operators know the SMS signature."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from agent.assess.look import Look
from agent.assess.measures.inventory import quoted
from agent.assess.records import Result, bad, good, not_applicable, partial, say, unknown


class Senders:
    """Mail, SMS or a group's robot is configured, and a test message was delivered lately."""

    id: ClassVar[str] = "senders"

    def measure(self, look: Look) -> Result:
        """See the class."""
        senders = look.agent.settings.senders
        if not senders.any:
            return bad(look.edit, say("assess.ev_no_senders"))
        ways = [
            way
            for way, there in (
                ("mail", senders.mails), ("sms", bool(senders.sms_url.get_secret_value())),
                ("robot", bool(senders.robots)), ("crm", bool(senders.crm_url.get_secret_value())),
            )
            if there
        ]  # fmt: skip
        evidence = say("assess.ev_senders", ways=", ".join(ways))
        if senders.mode == "record":
            return bad(look.edit, evidence, say("assess.ev_senders_record"))
        from agent.messages.queue import last_test

        everybody = look.agent.people.everybody
        test = f"cloche message test {quoted(everybody[0].name if everybody else 'NAME')}"
        tried = last_test(look.agent)
        untested = look.limit(self.id, "untested")
        if tried is None:
            return partial(untested, test, evidence, say("assess.ev_untested"))
        said = say("assess.ev_tested", date=look.day(tried.at), state=f"@assess.delivery_{tried.state}")
        if tried.state not in ("sent", "delivered"):
            return bad(test, evidence, said)
        if look.now > tried.at + timedelta(days=look.limit(self.id, "days")):
            return partial(untested, test, evidence, said)
        return good(evidence, said)


class SmsSignature:
    """The signature that every SMS begins with is registered with the operators (实名报备), and a template approved."""

    id: ClassVar[str] = "sms_signature"

    def measure(self, look: Look) -> Result:
        """See the class."""
        senders = look.agent.settings.senders
        if not senders.sms_url.get_secret_value():
            return not_applicable(say("assess.ev_no_sms"))
        evidence = say(
            "assess.ev_signature", sign=senders.sms_sign or "–", state=f"@assess.sign_{senders.sms_sign_registered}",
            templates=len(senders.sms_templates),
        )  # fmt: skip
        word = look.attested("sms_signature")
        registered = senders.sms_sign_registered == "registered" or (word is not None and word.ok)
        command = "cloche assess attest sms_signature"
        if senders.sms_sign_registered == "refused":
            return bad(command, evidence)
        if registered and senders.texts("notice"):
            return good(evidence, *((look.word(word),) if word else ()))
        if registered:
            return partial(0.5, command, evidence, say("assess.ev_no_template"))
        return unknown(command, evidence)
