"""`fleet version`: what this is, and what it stands on."""

import platform
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from common.errors import StoreRefused, Unreachable
from common.heartbeat import VERSION
from common.schema import migrations
from common.settings import Settings
from monitoring.cli.asking import Call, ask_clickhouse, ask_redis
from monitoring.cli.printing import console, show_json, table

EXAMPLES = """
Examples:  fleet version  |  fleet version --json | jq -r .tickfleet
"""
PACKAGES = ("polars", "clickhouse-connect", "redis", "fastapi")
AWAY = "does not answer"


def version(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Show the version of Tickfleet, of its schema, of Python and of the servers, as far as they answer."""
    call: Call = ctx.obj
    found = versions(call.settings)
    if as_json:
        show_json(found)
    else:
        console().print(table("", ("what", "version"), found.items()))


def versions(settings: Settings) -> dict[str, str]:
    """Return every version that counts when something is reported."""
    return {
        "tickfleet": VERSION,
        "schema": migrations()[-1].name.removesuffix(".sql"),
        "python": platform.python_version(),
        "redis": _redis(settings),
        "clickhouse": _clickhouse(settings),
        **{f"python package {name}": version_of(name) for name in PACKAGES},
    }


def _redis(settings: Settings) -> str:
    try:
        return str(ask_redis(settings, lambda redis: redis.info("server"))["redis_version"])
    except Unreachable:
        return AWAY


def _clickhouse(settings: Settings) -> str:
    try:
        return str(ask_clickhouse(settings, "SELECT version() AS version")["version"][0])
    except StoreRefused:
        return AWAY
