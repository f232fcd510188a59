"""Bring up what the programs stand on: servers and schema, and beside them the simulator if it is to feed us."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from common.clock import monotonic_s
from common.errors import StoreRefused
from common.redis_readings import MODE
from common.redis_streams import Redis, RedisError
from common.settings import Settings
from embedded.redis_binary import find
from launch import feeds, servers
from launch.daemon import Daemon, Process
from launch.programs import Program
from launch.programs import servers as embedded_servers
from launch.report import CannotStart, complain
from launch.start import Start

T = TypeVar("T")
PATIENCE_S = 60.0
DAMAGED = "Bad file format reading the append only file"  # https://github.com/redis/redis/blob/7.0/src/aof.c
POLL_S = 0.05


def bring_servers(start: Start) -> list[Program]:
    """
    Bring up what is ours, and see that the operator's own servers answer; return the programs that are ours.

    The simulator starts with the servers, so that it is there when they are.

    Raises:
        CannotStart: one of them cannot be used.
    """
    settings = start.settings
    if not settings.embedded_redis:
        servers.check_own_redis(settings).check(servers.redis_address(settings))
    if not settings.embedded_clickhouse:
        servers.check_own_clickhouse(settings)
    note = _bundled_note() if settings.embedded_redis else ""
    base = [servers.with_users(program, settings) for program in embedded_servers(settings)]
    if start.options.feed != "live":
        start.addresses.unlink(missing_ok=True)
        base.append(feeds.simulator(start.options, start.addresses))
    start.write_configuration(base)
    start.daemon.start()
    _tell_redis(start, note)
    version = _answer(start.daemon, "clickhouse", lambda: servers.clickhouse_version(settings))
    kind = _kind(settings.embedded_clickhouse)
    start.steps.done(4, f"clickhouse {kind} {version:<11} {servers.clickhouse_address(settings)}")
    return base


def _bundled_note() -> str:
    server = servers.bring_redis()
    return f"no redis-server 7.0 found; the bundled {server}" if server.note else ""


def _tell_redis(start: Start, note: str) -> None:
    settings, address = start.settings, servers.redis_address(start.settings)
    facts = _answer(start.daemon, "redis", lambda: servers.ask_redis(settings, servers.redis_facts))
    warnings = facts.check(address)
    start.steps.done(3, f"redis      {_kind(settings.embedded_redis)} {facts.version:<11} {address}", note)
    complain([f"warning: {warning}" for warning in warnings])


def _kind(is_embedded: bool) -> str:  # noqa: FBT001  there is nothing to swap it with
    return "embedded" if is_embedded else "own     "


def _answer(daemon: Daemon, name: str, ask: Callable[[], T]) -> T:
    """Return a server's first answer; raise CannotStart with its last words when it falls over instead."""
    deadline_s = monotonic_s() + PATIENCE_S
    while True:
        try:
            return ask()
        except (RedisError, StoreRefused, OSError) as error:
            is_loading = "loading" in str(error)  # Redis reads its record: that takes as long as it takes
            if monotonic_s() > deadline_s and not is_loading:
                raise CannotStart(f"{name} does not answer after {PATIENCE_S:.0f} s: {error}") from error
        _check_stands(daemon, name)
        time.sleep(POLL_S)


def _check_stands(daemon: Daemon, name: str) -> None:
    for process in daemon.processes():
        if process.name == name and (process.is_falling or process.is_gone):
            raise CannotStart(_why(process))


def _why(process: Process) -> str:
    """Return why a server fell over and what to do, from its log."""
    if process.name == "redis" and DAMAGED in process.tail():
        server = find()
        return (
            "redis refuses its append-only file, which is damaged in the middle: copy DATA_DIR/redis somewhere, run "
            f"{server.checker() if server else 'redis-check-aof'} --fix on the file that {process.log} names, and "
            "start again; records behind the damage are gone from the streams, what ClickHouse holds stays"
        )
    return (
        f"{process.name} ends as soon as it is started: {process.last_words() or 'without a word'}; see {process.log}"
    )


def bring_schema(start: Start) -> Mapping[str, int]:
    """Create or migrate the schema; return the rows that each table holds before anything new is recorded."""
    _keep_apart(start)
    command = [sys.executable, "setup_schema.py"]
    environ = {**start.environ, **start.shared}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=start.place.root, env=environ)  # noqa: S603  ours
    if done.returncode:
        raise CannotStart(*(done.stderr.strip().splitlines()[-3:] or ["schema: setup_schema.py failed without a word"]))
    told = done.stdout.strip().splitlines() or [""]
    start.steps.done(5, f"schema     {told[0].removeprefix('schema ')}")
    complain(told[1:])
    return servers.rows_by_table(start.settings)


def _keep_apart(start: Start) -> None:
    """Refuse to add simulated data to a live record, or live data to a simulated one."""
    settings = start.settings
    mode = servers.ask_redis(settings, _mode)
    was_live = mode in ("", "live")
    if was_live == (start.options.feed == "live") or not servers.has_record(servers.rows_by_table(settings)):
        return
    raise CannotStart(
        f"the record in {_where(settings)} is {'live' if was_live else f'a {mode}'} and would be mixed with "
        f"{'live data' if start.options.feed == 'live' else f'a {start.options.feed}'}: "
        "set DATA_DIR (or CLICKHOUSE_DATABASE and REDIS_DB of your own servers) to another one"
    )


def _where(settings: Settings) -> str:
    return str(settings.data_dir) if settings.embedded_clickhouse else servers.clickhouse_address(settings)


async def _mode(redis: Redis) -> str:
    return str(await redis.get(MODE) or b"", "utf-8")


def wait_for_feed(start: Start) -> Mapping[str, str]:
    """Return the settings that lead to the simulator once it listens; none when the venues themselves feed us."""
    if start.options.feed == "live":
        return {}
    deadline_s = monotonic_s() + PATIENCE_S
    while (addresses := feeds.read_addresses(start.addresses)) is None:
        _check_stands(start.daemon, "simulator")
        if monotonic_s() > deadline_s:
            raise CannotStart(f"the simulator does not listen after {PATIENCE_S:.0f} s; see its log")
        time.sleep(POLL_S)
    return addresses
