"""The best watch there is here: the guard if it answers, else watchdog, else none."""

from __future__ import annotations

from agent.watch.api import NoWatch, Watch
from agent.watch.fanotify import GuardWatch, NoGuardError
from agent.watch.inotify import InotifyWatch
from config.home import Home
from config.log import get_logger
from config.schema import Settings
from containment.samba import client_of

log = get_logger("watch")


def connect_watch(home: Home, settings: Settings) -> Watch:
    """Connect; `watch.tier` says what came of it."""
    if not settings.watch.enabled:
        return NoWatch()
    if home.guard_socket.exists():
        try:
            return GuardWatch(home.guard_socket, settings.watch, client_of)
        except NoGuardError as error:
            log.warning("the guard does not answer: nobody is named and nothing blocked", why=str(error))
    try:
        return InotifyWatch(settings.watch)
    except OSError as error:
        log.warning("no inotify either: nothing is watched", errno=error.errno)
        return NoWatch()
