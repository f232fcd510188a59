"""`fleet doctor`: what is wrong, and what to do about it."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from common.clock import NS_PER_S, now_ns
from common.errors import StoreRefused, Unreachable
from common.redis_streams import Redis
from common.settings import Settings
from monitoring.cli import exits
from monitoring.cli.asking import ENV_FILE, Call, ask_clickhouse, ask_redis, look
from monitoring.cli.config import strangers
from monitoring.cli.findings import Finding, fine, judged
from monitoring.cli.machine import of_machine
from monitoring.cli.printing import console, show_json, table
from monitoring.cli.upkeep import of_upkeep
from monitoring.overview import house_of, overview
from monitoring.verdicts import Level, of_memory

EXAMPLES = """
Examples:  fleet doctor  |  fleet doctor --json | jq '.[] | select(.grade != "ok")'
"""
FULL_FUNCTION = (7, 0)  # scripts that work when memory is full, and the lag of groups
CLOCK_OFF_S = 1.0
CLICKHOUSE_FACTS = "SELECT version() AS version, toUnixTimestamp64Nano(now64(9)) AS now_ns"
STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red"}


def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """
    Look at versions, ports, disk, servers, schema, clocks, programs, groups, tables and venues.

    Exit 3 for a fault, 4 when nothing runs.
    """
    call: Call = ctx.obj
    settings = call.settings
    found = [*of_machine(settings, ENV_FILE, strangers()), *_of_clickhouse(settings)]
    redis = list(_of_redis(settings))
    found += redis
    found += [*_of_fleet(settings), *of_upkeep(settings)] if redis[0].grade != "fault" else []
    if as_json:
        show_json([asdict(finding) for finding in found])
    else:
        cells = [(f.check, Text(f.grade, style=STYLES[f.grade]), f.found, f.fix) for f in found]
        console().print(table("", ("looked at", "is", "found", "what to do"), cells))
    raise typer.Exit(_exit_code(found))


def _exit_code(found: list[Finding]) -> int:
    faults = {finding.check for finding in found if finding.grade == "fault"}
    if faults & {"redis", "clickhouse", "fleet"}:
        return exits.NOT_RUNNING
    return exits.DEGRADED if faults else exits.OK


def _of_redis(settings: Settings) -> Iterator[Finding]:
    """Yield what was found of Redis; the first finding is whether it answers."""
    try:
        facts = ask_redis(settings, _redis_facts)
    except Unreachable as error:
        yield judged("redis", str(error), fault=_start("redis", embedded=settings.embedded_redis))
        return
    version = str(facts["redis_version"])
    old = tuple(int(part) for part in version.split(".")[:2]) < FULL_FUNCTION
    yield judged(
        "redis", f"version {version}", warning="install Redis 7.0 or newer: when full, this one stops reading" * old
    )
    policy = str(facts["maxmemory_policy"])
    evicts = "redis-cli config set maxmemory-policy noeviction, or records are thrown away" * (policy != "noeviction")
    yield judged("redis memory policy", policy, fault=evicts)
    forgets = "redis-cli config set appendonly yes, or a restart loses records" * (not facts["aof_enabled"])
    yield judged("redis persistence", "appendonly " + ("on" if facts["aof_enabled"] else "off"), warning=forgets)
    room = of_memory(used_bytes=int(facts["used_memory"]), max_bytes=int(facts["maxmemory"]))
    yield judged("redis memory", room.words, warning=room.remedy)
    yield _clock("redis", facts["now_ns"], settings.redis_host or "this machine")
    held = facts["books_shards"]
    moved = f"set BOOKS_SHARDS={held}, as the stream was laid out" * (held not in (None, settings.books_shards))
    yield judged("book shards", f"{held or 'none yet'}", fault=moved)


async def _redis_facts(redis: Redis) -> dict[str, Any]:
    info = await redis.info()
    server_s, server_us = await redis.time()
    held = await redis.hget("topics", "books")
    now = int(server_s) * NS_PER_S + int(server_us) * 1000
    return {**info, "now_ns": now, "books_shards": None if held is None else int(held)}


def _of_clickhouse(settings: Settings) -> Iterator[Finding]:
    try:
        facts = ask_clickhouse(settings, CLICKHOUSE_FACTS).to_dicts()[0]
    except StoreRefused as error:
        fix = ".venv/bin/python setup_schema.py" if error.code else ""
        fix = fix or _start("clickhouse", embedded=settings.embedded_clickhouse)
        yield judged("clickhouse", str(error), fault=fix)
        return
    yield fine("clickhouse", f"version {facts['version']}")
    yield _clock("clickhouse", int(facts["now_ns"]), settings.clickhouse_host or "this machine")


def _of_fleet(settings: Settings) -> Iterator[Finding]:
    view = overview(look(settings, rates=False), now_ns(), house_of(settings))
    if view.schema.level is not Level.UNKNOWN:
        yield judged("schema", view.schema.words, fault=view.schema.remedy)
    living = [process for process in view.processes if process.beat_age_s is not None]
    yield judged("fleet", f"{len(living)} programs have a heartbeat", fault="./start.sh" * (not living))
    for process in view.processes:
        ill = process.verdict.level
        remedy = process.verdict.remedy or f"supervisorctl tail {process.program}"
        finding = judged(
            process.name,
            process.verdict.words,
            fault=remedy * (ill is Level.DOWN and bool(living)),
            warning=remedy * (ill is Level.SLOW),
        )
        yield finding
    for group in view.groups:
        if group.verdict.level in (Level.SLOW, Level.DOWN):
            remedy = group.verdict.remedy or f"supervisorctl tail {group.name}"
            yield judged(f"{group.name} on {group.topic}", group.verdict.words, fault=remedy)


def _clock(name: str, server_ns: int, host: str) -> Finding:
    off_s = (now_ns() - server_ns) / NS_PER_S
    fix = f"set the clocks of this machine and of {host} by NTP: ages and lags are wrong by as much"
    return judged(f"{name} clock", f"{abs(off_s):.2f} s from ours", fault=fix * (abs(off_s) > CLOCK_OFF_S))


def _start(name: str, *, embedded: bool) -> str:
    if embedded:
        return f"./start.sh, or if the fleet runs: supervisorctl restart {name}; supervisorctl tail {name}"
    return f"it is your own server: check {name.upper()}_HOST, {name.upper()}_PORT and the password in .env"
