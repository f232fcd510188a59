"""`fleet help redis`: what to type into redis-cli, curl and supervisorctl for the fleet that runs."""

from collections.abc import Callable
from typing import Annotated, Literal

import typer

from common.settings import Settings
from monitoring.cli.asking import Call
from monitoring.cli.printing import console, show_json, table

EXAMPLES = """
Examples:  fleet help redis  |  fleet help clickhouse  |  fleet help supervisor
"""
QUESTIONS = (
    ("SELECT venue, count() FROM trades GROUP BY venue", "rows by venue; each fact counts once"),
    ("SELECT * FROM bars_1m ORDER BY open_time DESC LIMIT 5 FORMAT Pretty", "the newest candles"),
    ("SELECT * FROM feed_events ORDER BY received_time DESC LIMIT 5 FORMAT Vertical", "what went wrong"),
    ("SELECT table, sum(rows), count() FROM system.parts WHERE active GROUP BY table", "rows and parts by table"),
)
Lines = list[tuple[str, str]]


def cheat_sheet(
    ctx: typer.Context,
    topic: Annotated[Literal["redis", "clickhouse", "supervisor"], typer.Argument(help="Which tool.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show the lines that people type most into another tool, with the addresses of this fleet."""
    call: Call = ctx.obj
    lines = SHEETS[topic](call.settings)
    if as_json:
        show_json([{"command": command, "what": what} for command, what in lines])
    else:
        console().print(table("", ("type", "to see"), lines))


def of_redis(settings: Settings) -> Lines:
    """Return the lines for redis-cli; a password is asked of the environment, never printed."""
    address = "" if settings.redis_host in (None, "127.0.0.1") else f" -h {settings.redis_host}"
    port = "" if settings.redis_port == 6379 else f" -p {settings.redis_port}"  # noqa: PLR2004  its own default
    database = f" -n {settings.redis_db}" if settings.redis_db else ""
    cli = 'redis-cli -u "$REDIS_URL"' if settings.redis_url else f"redis-cli{address}{port}{database}"
    return [
        (f"{cli} XREVRANGE stream:trades + - COUNT 3", "the newest entries: o is the first record's running number"),
        (f"{cli} XLEN stream:order_events", "how many entries a stream holds (not: how many wait)"),
        (f"{cli} XINFO GROUPS stream:trades", "who reads it"),
        (f"{cli} XPENDING stream:trades clickhouse_writer", "what was given to a group and is not committed"),
        (f"{cli} HGETALL proc:clickhouse_writer", "what a process says of itself, each second"),
        (f"{cli} --scan --pattern 'state:*'", "cursors; each is a text that GET shows"),
        (f"{cli} GET state:goldsky_last_timestamp", "how far the subgraph was read, seconds since 1970"),
        (f"{cli} HGETALL topics", "in how many shards each topic is laid out"),
        (f"{cli} INFO memory", "used_memory, maxmemory, and the policy, which must be noeviction"),
    ]


def of_clickhouse(settings: Settings) -> Lines:
    """Return the lines for curl."""
    scheme = "https" if settings.clickhouse_secure else "http"
    host = settings.clickhouse_host or "127.0.0.1"
    address = f"{scheme}://{host}:{settings.clickhouse_port}/?database={settings.clickhouse_database}"
    return [(f"curl '{address}' -d \"{question}\"", what) for question, what in QUESTIONS]


def of_supervisor(_settings: Settings) -> Lines:
    """Return the lines for supervisorctl, typed in the root of the project."""
    return [
        ("supervisorctl status", "what runs"),
        ("supervisorctl restart binance_ingester", "start a program again; nothing is lost"),
        ("supervisorctl restart book_processor:*", "all processes of a scaled program"),
        ("supervisorctl tail -f clickhouse_writer", "its log as it grows"),
        ("supervisorctl stop all", "stop; ./stop.sh also ends Supervisor and checks that nothing is left"),
    ]


SHEETS: dict[str, Callable[[Settings], Lines]] = {
    "redis": of_redis,
    "clickhouse": of_clickhouse,
    "supervisor": of_supervisor,
}
