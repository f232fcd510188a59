"""start.sh, from checked settings to a fleet that is ready."""

from collections.abc import Mapping, Sequence

from common.clock import now_ns
from common.errors import StoreRefused
from common.redis_readings import MODE, PROGRAMS
from common.redis_streams import RedisError
from common.settings import Settings
from launch import feeds, leftovers, passwords, readiness, servers
from launch.bring import bring_schema, bring_servers, wait_for_feed
from launch.daemon import wait_until
from launch.first_rows import FirstRows
from launch.place import Started, write_facts
from launch.programs import Program, declared, fleet
from launch.readiness import Readiness
from launch.report import DEGRADED, CannotStart, say
from launch.running import STOPPING_S, end_leftovers
from launch.start import Start

KEPT = (  # where things are, so that stop.sh finds them without the environment of start.sh
    *("REDIS_HOST", "REDIS_PORT", "REDIS_DB", "CLICKHOUSE_HOST", "CLICKHOUSE_PORT", "CLICKHOUSE_USER"),
    *("CLICKHOUSE_DATABASE", "DASHBOARD_HOST", "DASHBOARD_PORT"),
)


def up(start: Start) -> int:
    """
    Start the fleet; return the exit code.

    Raises:
        CannotStart: nothing of ours is left running.
    """
    feeds.check_files(start.options)
    start.place.prepare()
    end_leftovers(start.place)
    servers.check_ports(start.settings)
    _make_folders(start.settings)
    try:
        base = bring_servers(start)
        before = bring_schema(start)
        programs = _declare(start, base, wait_for_feed(start))
    except BaseException as error:  # also Ctrl-C: half a fleet helps nobody, whatever the reason
        _clear(start)
        if isinstance(error, RedisError | StoreRefused):
            raise CannotStart(f"a server stopped answering: {error}") from error
        raise
    return _bring_fleet(start, base, programs, before)


def _make_folders(settings: Settings) -> None:
    for folder in (settings.data_dir / "run", settings.log_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CannotStart(f"{folder} cannot be made ({error.strerror}): set DATA_DIR or LOG_DIR") from error


def _clear(start: Start) -> None:
    pid = start.daemon.pid()
    if pid is not None:
        start.daemon.shut_down()
        wait_until(lambda: not leftovers.is_running(pid), STOPPING_S, f"Supervisor (pid {pid}) does not end")
    leftovers.end(leftovers.find(start.place))


def _declare(start: Start, base: Sequence[Program], feed: Mapping[str, str]) -> list[Program]:
    """Return the programs of the fleet, having told Supervisor, stop.sh and those who look on which are to run."""
    fed = Settings.from_env({**start.environ, **start.shared, **feed}, start.place.root / ".env")
    programs = fleet(fed, feed, start.users)
    said = {MODE: start.options.feed, PROGRAMS: declared([*base, *programs])}
    servers.ask_redis(start.settings, lambda redis: redis.mset(said))
    start.write_configuration([*base, *programs])
    write_facts(start.place, _started(start, feed))
    return programs


def _bring_fleet(start: Start, base: Sequence[Program], programs: Sequence[Program], before: Mapping[str, int]) -> int:
    """Start the programs and wait until they are ready; what does not come up is told, and the rest goes on."""
    wanted = [program for program in programs if program.why_not is None]
    disabled = [program for program in programs if program.why_not is not None]
    rows = FirstRows(start.settings, before)
    start.daemon.update()
    found = readiness.wait_for(wanted, start.daemon, start.settings, meanwhile=rows.look)
    failed = [one for one in found if one.is_failed]
    up_count = len(base) + len(found) - len(failed)
    start.steps.done(6, f"programs   {up_count} running, {len(disabled)} disabled, {len(failed)} failed")
    _tell_programs(start, found, disabled)
    _tell_addresses(start)
    if any(one.process.endswith("_ingester") and one.state == "running" for one in found):
        rows.tell()
    if start.place.socket.parent != start.place.run:
        say(f" This path is too long for a socket: supervisorctl -s unix://{start.place.socket} status")
    say(" Next:  ./fleet status   |   ./fleet tail stream:trades   |   ./stop.sh")
    return DEGRADED if failed else 0


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


def _tell_programs(start: Start, found: Sequence[Readiness], disabled: Sequence[Program]) -> None:
    for program in disabled:
        say(f"   disabled  {program.name:<24} {program.why_not}")
    for one in found:
        if one.state == "waiting":
            say(f"   waiting   {one.process:<24} {one.detail}")
        elif one.is_failed:
            log = start.place.shown(start.settings.log_dir / f"{one.process}.log")
            say(f"   failed    {one.process:<24} {one.detail}; see {log}")
        elif not one.is_settled:
            say(f"   starting  {one.process:<24} {one.detail or 'has not said that it is ready'}")
    if start.options.feed == "live" and any(
        one.process.endswith("_ingester") and one.state == "waiting" for one in found
    ):
        say("   no way to a venue? offline, try: ./stop.sh && ./start.sh --demo")


def _tell_addresses(start: Start) -> None:
    host = start.settings.dashboard_host
    address = f"http://{f'[{host}]' if ':' in host else host}:{start.settings.dashboard_port}"
    say()
    say(f" Dashboard  {address}        API docs  {address}/docs")
    say(f" Data       {start.settings.data_dir}        Logs  {start.settings.log_dir}")
