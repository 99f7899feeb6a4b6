"""The `cloche-link` process: the only one that talks to the network. It has no access to data.

It sends reports to head office, carries errands there (`carrier`) and messages (`postman`), and serves the page
(`page_office`).

Started by systemd as `cloche-link`; started by root it opens its folder and then becomes that account (or nobody).
It looks for new reports every second: one `fstat` of the folder while nothing comes.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import click

from agent.link.carrier import Carrier
from agent.link.desk import Desk
from agent.link.letters import INBOX
from agent.link.office import make_instance
from agent.link.order_files import FOLDER
from agent.link.orders import Courier, OrderFolder
from agent.link.outbox import LINK_ACCOUNT
from agent.link.page_office import PageOffice
from agent.link.postman import Postman
from agent.link.preload import preload
from agent.link.sender import Sender
from agent.link.settings import SETTINGS_FILE, Enrolment
from agent.link.spool import Spool
from config.errors import ClocheError, ExitCode, NoDaemonError
from config.home import find_home
from config.log import describe, get_logger, set_up_logging
from config.notify import notify, watchdog_seconds
from config.privileges import become_nobody, no_new_privileges
from config.text import Text

LOOK_SECONDS: Final = 1.0

log = get_logger("link")


class Link:
    """Looks for reports and sends them until told to stop; messages and the page go beside it, in threads.

    Promise: a part that breaks ends the process, and systemd starts it anew.
    """

    def __init__(
        self,
        spool: Spool,
        carrier: Carrier,
        desk: Desk | None = None,
        courier: Courier | None = None,
        *,
        instance: str = "",
    ) -> None:
        self._spool = spool
        self._carrier = carrier
        self._desk = desk
        self._courier = courier
        self._instance = instance
        self._stop = threading.Event()
        self._broken = False

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """End after the report that is under way."""
        self._stop.set()

    def run(self) -> None:
        """Work until stopped. An enrolment that appears or changes is taken up by itself."""
        beat = min(watchdog_seconds() or LOOK_SECONDS, LOOK_SECONDS)
        sender: Sender | None = None
        enrolment: Enrolment | None = None
        pause, failed = 0.0, None
        office = PageOffice(self._desk) if self._desk else None
        threads = [self._start("carrier", lambda: self._carrier.run(self._stop, self._spool.enrolment))]
        threads += self._start_postman()
        if (courier := self._courier) is not None:
            self._start("courier", lambda: courier.run(self._stop))  # not waited for: its request is held open
        notify("READY=1")
        try:
            while not self._stop.is_set():
                notify("WATCHDOG=1")
                current = self._spool.enrolment()
                if current != enrolment:
                    enrolment, pause = current, 0.0
                    if sender is not None:
                        sender.close()
                    sender = Sender(self._spool, current, instance=self._instance) if current else None
                    notify(f"STATUS={current.url if current else 'not enrolled'}")
                    gc.collect()
                if sender is not None and (pause <= 0 or self._is_back(failed)):
                    ended = sender.send_waiting(self._stop.is_set, lambda: notify("WATCHDOG=1"))
                    pause, failed = ended.seconds, time.monotonic() if ended.is_away else None
                if office is not None:
                    office.keep()
                self._stop.wait(beat)
                pause -= beat
        finally:
            notify("STOPPING=1")
            self._stop.set()
            if office is not None:
                office.close()
            for thread in threads:
                thread.join(timeout=5)
            if self._desk is not None:
                self._desk.withdraw()
            if sender is not None:
                sender.close()

    def _is_back(self, failed: float | None) -> bool:
        """Head office answered the courier after the sender had found it away at `failed`: weeks of reports need not
        wait out a pause of ten minutes. The courier's own pauses keep a fleet from coming at one moment."""
        return failed is not None and self._courier is not None and self._courier.heard > failed

    @property
    def broken(self) -> bool:
        """A part ended by itself."""
        return self._broken

    def _start_postman(self) -> list[threading.Thread]:
        """Show our key and begin to carry messages, where the daemon has made the folders."""
        if self._desk is None:
            return []
        self._desk.publish()
        postman = Postman(self._desk)
        return [self._start("postman", lambda: postman.run(self._stop))]

    def _start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """A part beside the sending; if it breaks, the process ends."""

        def carry() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001  the boundary of a thread
                log.error("a part of the link broke", part=name, error=describe(error))
                self._broken = True
                self._stop.set()

        thread = threading.Thread(target=carry, name=name, daemon=True)
        thread.start()
        return thread

    def run_once(self, text: Text) -> ExitCode:
        """Send what waits now; INCOMPLETE if head office did not take all of it.

        Raises:
            NoDaemonError: the store is not enrolled.
        """
        enrolment = self._spool.enrolment()
        if enrolment is None:
            raise NoDaemonError(text("link.not_enrolled", folder=self._spool.folder / SETTINGS_FILE))
        sender = Sender(self._spool, enrolment, instance=self._instance)
        try:
            self._carrier.round(enrolment)
            pause = sender.send_waiting(self._stop.is_set, lambda: None)
            fault = self._courier.once() if self._courier is not None else ""
        finally:
            sender.close()
        if pause.fault:
            click.echo(f"cloche-link: {text('link.unsent', url=enrolment.url, fault=pause.fault)}", err=True)
            return ExitCode.INCOMPLETE
        return ExitCode.INCOMPLETE if fault else ExitCode.DONE


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", "home_folder", type=click.Path(readable=False), help="The store's home folder.")
@click.option("--once", is_flag=True, help="Send what waits now, then end.")
@click.option("--debug", is_flag=True, help="Log more, never a value.")
def cloche_link(home_folder: str | None, once: bool, debug: bool) -> int:
    """Send this store's reports to head office."""
    set_up_logging(debug=debug)
    instance = make_instance()
    folder = find_home(home_folder).outbox
    carrier = Carrier(folder, instance)
    orders = OrderFolder(folder) if (folder / FOLDER).is_dir() else None
    spool, desk = open_folders(folder)
    link = Link(spool, carrier, desk, Courier(orders, instance) if orders else None, instance=instance)
    signal.signal(signal.SIGTERM, link.stop)
    signal.signal(signal.SIGINT, link.stop)
    try:
        if once:
            return int(link.run_once(Text()))
        link.run()
    finally:
        carrier.close()
        if orders is not None:
            orders.close()
        spool.close()
        if desk is not None:
            desk.close()
    return int(ExitCode.FAILED if link.broken else ExitCode.DONE)


def open_folders(folder: Path) -> tuple[Spool, Desk | None]:
    """Take what is needed of the folder, then give up every other right.

    Returns:
        reports for head office, and the desk of messages (None where an older daemon has made none).

    Raises:
        RefusedError: the daemon has not made the folder yet, or it is not ours to read.
    """
    spool = Spool(folder)
    spool.open_state()
    desk = Desk(folder) if (folder / INBOX).is_dir() else None
    preload()
    become_nobody(LINK_ACCOUNT)
    no_new_privileges()
    return spool, desk


def main() -> None:
    """Entry point: an error is one line and its exit code."""
    try:
        sys.exit(cloche_link(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.USAGE)
    except ClocheError as error:
        click.echo(f"cloche-link: {error}", err=True)
        sys.exit(int(error.exit_code))
    except click.Abort:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  the boundary: type and place only, arguments may hold text
        click.echo(f"cloche-link: {Text()('cli.internal_error', what=describe(error))}", err=True)
        sys.exit(ExitCode.FAILED)
