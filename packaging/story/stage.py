"""Where the story plays: a shop with made-up customers, its people, its processes, and the world outside."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "demo"))

from outside import Mail, Outside
from processes import BIN, Processes, StepError, free_port
from telling import Telling

from agent.drill import synthetic

LEAD, LAWYER, TECHNICIAN, SERVICE, MANAGER = "王测试", "李样例", "周演示", "吴虚构", "赵练习"
MAILBOXES = {
    LEAD: "lead@example.com", LAWYER: "law@example.com", TECHNICIAN: "tech@example.com",
    SERVICE: "service@example.com", MANAGER: "manager@example.com",
}  # fmt: skip
ROLES = {
    LEAD: ["security_lead", "response_lead"], LAWYER: ["legal", "security_deputy", "privacy_officer"],
    TECHNICIAN: ["tech_support", "security_member", "logistics"], SERVICE: ["customer_service", "department_head"],
    MANAGER: ["store_manager"],
}  # fmt: skip


class Stage:
    """One run. Every command of the story is shown as typed, with what it answers."""

    def __init__(self, output: Path, words: Telling) -> None:
        self.words = words
        self.output = output
        self.store = output / "store"
        self.home = output / "home"
        self.papers = output / "documents"
        self.logs = output / "logs"
        self.key = output / "recovery.key"
        self.port = free_port()
        self.incident = ""
        self.facts: dict[str, Any] = {}
        for folder in (self.papers, self.logs):
            folder.mkdir(parents=True)
        self.outside = Outside()
        self.processes = Processes(
            self.logs,
            {
                "CLOCHE_HOME": str(self.home), "CLOCHE_STORE__LANGUAGE": words.language, "PYTHONSAFEPATH": "1",
                "CLOCHE_KEY_FILE": str(self.key), "PATH": f"{BIN}:{os.environ['PATH']}",
            },
        )  # fmt: skip

    def __enter__(self) -> Self:
        synthetic.build(self.store, time.time())
        self.outside.__enter__()
        self.processes.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.processes.__exit__(*error)
        self.outside.__exit__(*error)

    def settings(self) -> str:
        """The shop's settings: people, senders, the page."""
        account = "root" if os.geteuid() == 0 else os.environ.get("USER", "")
        people = "".join(
            f"[[people]]\nname = {json.dumps(name, ensure_ascii=False)}\nroles = {json.dumps(roles)}\n"
            f'email = "{MAILBOXES[name]}"\ncontact = "400 000 0000"\nuser = "{account if name == LEAD else ""}"\n'
            f"substitute = {json.dumps(LAWYER if name == TECHNICIAN else '', ensure_ascii=False)}\n"
            for name, roles in ROLES.items()
        )
        return (
            '[store]\nname = "测试一店"\nlegal_entity = "91310000TEST000000"\nprovince = "上海市"\n'
            f"[scan]\nroots = [{json.dumps(str(self.store), ensure_ascii=False)}]\n"
            '[notice]\nbrand = "测试餐饮"\nhotline = "400 000 0000"\nquiet_hours = ""\nbatch = 500\n'
            f'[senders]\nsmtp_host = "127.0.0.1"\nsmtp_port = {self.outside.mail_port}\nsmtp_security = "none"\n'
            f'smtp_from = "cloche@example.com"\nsms_url = "{self.outside.gateway}"\nsms_sign = "测试餐饮"\n'
            'sms_success = \'"code": "OK"\'\nsms_receipt = \'"receipt": "(R[0-9]{6})"\'\n'
            'sms_sign_registered = "registered"\nnotice_per_minute = 6000\n'
            '[[senders.sms_templates]]\nid = "SMS_TEST"\nuse = "notice"\nparameters = ["types", "hotline"]\n'
            'text = "您的{types}可能已泄露，请警惕诈骗，详询{hotline}。"\n'
            f'[page]\nlisten = "127.0.0.1:{self.port}"\nurl = "http://127.0.0.1:{self.port}/"\n'
            'emergency_phone = "400 000 0000"\n'
            '[vendors]\ncanary_phones = ["13800990001", "13800990002", "13800990003", "13800990004", "13800990005"]\n'
            'canary_emails = ["*@canary.example.com"]\ncanary_names = ["郑测试", "冯样例"]\n' + people
        )

    def run(self, *arguments: str | Path, codes: Sequence[int] = (0,)) -> str:
        """Show a command as typed, run it, and show the first lines of its answer."""
        shown = " ".join(str(part).replace(str(self.output), "…") for part in arguments)
        self.words.command(f"cloche {shown}")
        answer = self.processes.call(BIN / "cloche", *arguments, codes=tuple(codes))
        self.words.answer(answer)
        return answer

    def ask(self, *arguments: str | Path, codes: Sequence[int] = (0, 3)) -> dict[str, Any]:
        """The document of a command, not shown."""
        return self.processes.cloche(*arguments, codes=tuple(codes))

    def mail(self, to: str, *words: str, seconds: float = 30.0) -> Mail:
        """Wait for a mail to a person that holds these words.

        Raises:
            StepError: none came.
        """
        found: list[Mail] = []

        def arrived() -> bool:
            mail = self.outside.to(MAILBOXES[to], *words)
            if mail is not None:
                found.append(mail)
            return mail is not None

        self.processes.wait_for(f"a mail to {to}: {' '.join(words)}", arrived, seconds)
        self.words.line(f"✉ {MAILBOXES[to]}  {found[0].subject}")
        return found[0]

    def approve(self, person: str, subject: str) -> None:
        """A person answers with the code that came by mail, as soon as it is there."""
        mail = self.mail(person, subject)
        self.run("approve", subject, "--person", person, "--code", mail.code)

    def keep(self, source: Path, name: str) -> None:
        """Copy a document to where the story leaves them."""
        shutil.copy(source, self.papers / name)

    def must(self, good: bool, what: str) -> None:
        """Something that must be so.

        Raises:
            StepError: it is not.
        """
        if not good:
            raise StepError(what)
