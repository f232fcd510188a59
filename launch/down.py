"""stop.sh: what feeds stops first, what is fed drains, the servers stop last, and nothing is left."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from common.clock import monotonic_s
from common.errors import BadSettings, StoreRefused
from common.redis_streams import RedisError
from common.settings import Settings
from launch import leftovers, servers
from launch.backlog import Backlog, read_backlog
from launch.configuration import STOP_WAIT_S
from launch.daemon import Daemon
from launch.place import Place, Started, read_facts
from launch.report import CannotStart, complain, counts, say, tell

DRAIN_S = 30.0
STALL_S = 4.0  # no record less for so long: whoever should drain is not doing it
POLL_S = 0.05
SERVERS = ("clickhouse", "redis")
ENDING_S = len(SERVERS) * STOP_WAIT_S + 10.0  # Supervisor stops one program after the other


def down(place: Place, pid: int, environ: Mapping[str, str]) -> int:
    """Stop the fleet of the Supervisor with this process id; return the exit code."""
    daemon = Daemon(place)
    since_s = monotonic_s()
    settings = _settings(place, environ)
    if daemon.pid() is not None and not daemon.is_stopping():
        _stop_in_order(daemon, settings)
        daemon.shut_down()
    else:
        os.kill(pid, signal.SIGTERM)
    _see_it_end(place, pid)
    say(f" stopped   nothing is left running ({monotonic_s() - since_s:.1f} s)")
    return 0


def _settings(place: Place, environ: Mapping[str, str]) -> Settings | None:
    """Return the settings of what runs, None if they cannot be had: then there are no figures, but it stops."""
    facts: Started | None = read_facts(place)
    try:
        return Settings.from_env({**environ, **(facts.settings if facts else {})}, place.root / ".env")
    except BadSettings as error:
        complain([f"no figures: {problem}" for problem in error.problems])
        return None


def _stop_in_order(daemon: Daemon, settings: Settings | None) -> None:
    groups = {process.group for process in daemon.processes()}
    feeding = {group for group in groups if group.endswith("_ingester")}
    _stop(daemon, feeding)
    if settings is not None:
        _tell(_drained(settings), settings)
    _stop(daemon, groups - feeding - set(SERVERS))
    for server in SERVERS:
        _stop(daemon, groups & {server})


def _stop(daemon: Daemon, groups: AbstractSet[str]) -> None:
    """
    Stop programs side by side, wait until Supervisor has seen their end, and have it forget them.

    One that it still knew would cost a second of its shutdown each.
    """
    for group in groups:
        daemon.stop(group)
    if _wait(lambda: all(one.is_gone for one in daemon.processes() if one.group in groups), STOP_WAIT_S + 5.0):
        for group in groups:
            daemon.forget(group)


def _wait(is_so: Callable[[], bool], patience_s: float) -> bool:
    deadline_s = monotonic_s() + patience_s
    while not is_so():
        if monotonic_s() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def _drained(settings: Settings) -> Backlog | None:
    """Wait while every group reads what is left in its streams; return what was not read, None if unknown."""
    best, best_s = None, monotonic_s()
    deadline_s = best_s + DRAIN_S
    while True:
        try:
            backlog = servers.ask_redis(settings, read_backlog)
        except (RedisError, OSError) as error:
            complain([f"no figures: redis does not answer: {error}"])
            return None
        now_s = monotonic_s()
        if best is None or backlog.unread < best:
            best, best_s = backlog.unread, now_s
        if not backlog.unread or now_s > deadline_s or now_s - best_s > STALL_S:
            return backlog
        time.sleep(POLL_S)


def _tell(backlog: Backlog | None, settings: Settings) -> None:
    if backlog is not None:
        if backlog.unread:
            tell(
                " kept      ", f"{backlog.unread:,} records are unread in the streams; the next start goes on with them"
            )
        else:
            say(" drained   every group has read its streams to the end")
        tell(" streams   ", f"{counts(backlog.entries) or 'empty'} (entries)")
    try:
        tell(" saved     ", f"{counts(servers.rows_by_table(settings)) or 'no rows'} (rows)")
    except StoreRefused as error:
        complain([f"no figures: {error}"])


def _see_it_end(place: Place, pid: int) -> None:
    if not _wait(lambda: not leftovers.is_running(pid), ENDING_S):
        complain([f"Supervisor (pid {pid}) does not end; killing it, its programs get SIGTERM"])
        os.kill(pid, signal.SIGKILL)
    leftovers.end(leftovers.find(place))
    if left := leftovers.find(place):
        raise CannotStart(f"still running: {', '.join(f'{one.name} (pid {one.pid})' for one in left)}")
    for stale in (place.socket, place.pid_file, place.environment, place.facts):
        stale.unlink(missing_ok=True)
