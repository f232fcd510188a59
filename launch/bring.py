"""See that what the programs stand on answers: servers, schema, simulator; then say which programs there are."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from common.clock import monotonic_s, now_ns
from common.errors import SchemaMismatch, StoreRefused
from common.redis_facts import words_of
from common.redis_readings import MODE, PROGRAMS
from common.redis_streams import Redis, RedisError
from common.settings import Settings
from common.streams import SWITCHED_OFF
from embedded.redis_binary import find
from launch import feeds, passwords, servers
from launch.daemon import Daemon, Process
from launch.fleet import fleet
from launch.place import Started, write_facts
from launch.programs import Program, declared
from launch.report import CannotStart, complain
from launch.start import Start
from processors.registry import WRITER
from setup_schema import set_up

T = TypeVar("T")
PATIENCE_S = 60.0
DAMAGED = "Bad file format reading the append only file"  # https://github.com/redis/redis/blob/7.0/src/aof.c
REFUSES = "simulator: "  # a recording, by name and line
POLL_S = 0.05
KEPT = (  # where things are, so that stop.sh finds them without the environment of start.sh
    *("REDIS_HOST", "REDIS_PORT", "REDIS_DB", "CLICKHOUSE_HOST", "CLICKHOUSE_PORT", "CLICKHOUSE_USER"),
    *("CLICKHOUSE_DATABASE", "DASHBOARD_HOST", "DASHBOARD_PORT"),
)


def bring(start: Start, base: Sequence[Program]) -> tuple[list[Program], Mapping[str, int]]:
    """
    Return the programs of the fleet, declared and not yet started, and the rows that each table holds before them.

    Raises:
        CannotStart: something that they stand on cannot be used.
    """
    try:
        _see_redis(start)
        _see_clickhouse(start)
        before = _bring_schema(start)
        _start_writer(start, base)
        return _declare(start, base, _wait_for_feed(start)), before
    except (RedisError, StoreRefused) as error:
        raise CannotStart(f"a server stopped answering: {error}") from error


def _see_redis(start: Start) -> None:
    settings, address = start.settings, servers.redis_address(start.settings)
    facts = _answer(start.daemon, "redis", lambda: servers.ask_redis(settings, servers.redis_facts))
    warnings = facts.check(address)
    start.steps.done(3, f"redis      {_kind(settings.embedded_redis)} {facts.version:<11} {address}", _note(settings))
    complain([f"warning: {warning}" for warning in warnings])


def _note(settings: Settings) -> str:
    server = find() if settings.embedded_redis else None
    return f"no redis-server 7.0 found; the bundled {server}" if server and server.note else ""


def _see_clickhouse(start: Start) -> None:
    settings = start.settings
    version = _answer(start.daemon, "clickhouse", lambda: servers.clickhouse_version(settings))
    kind = _kind(settings.embedded_clickhouse)
    start.steps.done(4, f"clickhouse {kind} {version:<11} {servers.clickhouse_address(settings)}")


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
    words = process.last_words() or "without a word"
    if process.name == "simulator" and words.startswith(REFUSES):
        return words.removeprefix(REFUSES)
    return f"{process.name} ends as soon as it is started: {words}; see {process.log}"


def _bring_schema(start: Start) -> Mapping[str, int]:
    """Create or migrate the schema; return the rows that each table holds before anything new is recorded."""
    _keep_apart(start)
    try:
        told = set_up(start.settings)
    except SchemaMismatch as error:
        raise CannotStart(f"schema: {error}") from error
    start.steps.done(5, f"schema     {told[0]}")
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


def _start_writer(start: Start, base: Sequence[Program]) -> None:
    """Let the writer come up while the simulator reads its recordings; all others wait for what these hold."""
    writer = [program for program in fleet(start.settings, {}, start.users) if program.name == WRITER]
    start.write_configuration([*base, *writer])
    start.daemon.add(start.daemon.read_configuration())


def _wait_for_feed(start: Start) -> Mapping[str, str]:
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


def _declare(start: Start, base: Sequence[Program], feed: Mapping[str, str]) -> list[Program]:
    """Return the programs of the fleet, having told Supervisor, stop.sh and those who look on which are to run."""
    fed = Settings.from_env({**start.environ, **start.shared, **feed}, start.place.root / ".env")
    off = servers.ask_redis(start.settings, lambda redis: words_of(redis, SWITCHED_OFF))
    programs = [replace(one, is_off=one.name in off) for one in fleet(fed, feed, start.users)]
    said = {MODE: start.options.feed, PROGRAMS: declared([*base, *programs])}
    servers.ask_redis(start.settings, lambda redis: redis.mset(said))
    start.write_configuration([*base, *programs])
    write_facts(start.place, _started(start, feed))
    return programs


def _started(start: Start, feed: Mapping[str, str]) -> Started:
    kept = {name: getattr(start.settings, name.lower()) for name in KEPT}
    return Started(
        feed=start.options.feed,
        files=tuple(map(str, start.options.files)),
        speed=start.options.speed,
        started_ns=now_ns(),
        data_dir=str(start.settings.data_dir),
        log_dir=str(start.settings.log_dir),
        settings={
            **{name: value for name, value in feed.items() if name.endswith(("_URL", "_SYMBOLS", "_MARKETS"))},
            **{name: str(value) for name, value in kept.items() if value is not None},
            **start.users.get(passwords.OPERATOR, {}),
        },
    )
