"""`fleet schema`: the version of the database, what is missing in it, and what the columns mean."""

import asyncio
from typing import Annotated

import typer

from common import schema as database
from common.clickhouse import Store, connect
from common.columns import Table
from common.errors import StoreRefused
from common.redis_streams import Redis, continue_offsets
from common.schema import migrations
from common.settings import Settings
from common.tables import REMOVED_ROWS, TABLES
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_clickhouse, ask_redis
from monitoring.cli.printing import console, show_json, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import Deed, do
from monitoring.prompts import fleet

EXAMPLES = """
Examples:  fleet schema  |  fleet schema trades  |  fleet schema diff  |  fleet schema apply  |
fleet schema --json | jq .version
"""
EVERY = (*TABLES, *REMOVED_ROWS)
APPLIED = "SELECT version, name, toString(applied_time) AS applied FROM schema_migrations ORDER BY version"
COLUMNS = """
SELECT name, type, compression_codec AS codec, comment FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} ORDER BY position
"""
EVERY_COLUMN = (
    "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() ORDER BY table, position"
)


def status(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[TABLE]", help="Show the columns of this table or view.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Show which migrations were applied, or the columns of a table; exit 3 when the version is not this code's."""
    call: Call = ctx.obj
    if name:
        _columns(call, name, as_json=as_json)
        return
    applied = {row["version"]: row["applied"] for row in ask_clickhouse(call.settings, APPLIED).to_dicts()}
    rows = [{"version": one.version, "name": one.name, "applied": applied.get(one.version)} for one in migrations()]
    found, expected = max(applied, default=0), migrations()[-1].version
    if as_json:
        show_json({"version": found, "expected": expected, "migrations": rows})
    else:
        cells = [(str(row["version"]), str(row["name"]), str(row["applied"] or "not yet")) for row in rows]
        console().print(table("", ("version>", "migration", "applied"), cells))
    if found != expected:
        remedy = "python setup_schema.py" if found < expected else "update Tickfleet, this code is older"
        tell(f"expected schema version {expected}, found {found}: {remedy}")
        raise typer.Exit(exits.DEGRADED)


def diff(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show where the tables of the database differ from what this code writes; exit 3 when they do."""
    call: Call = ctx.obj
    found: dict[str, dict[str, str]] = {}
    for row in ask_clickhouse(call.settings, EVERY_COLUMN).to_dicts():
        found.setdefault(row["table"], {})[row["name"]] = row["type"]
    rows = [row for table in EVERY for row in _differences(table, found.get(table.name, {}))]
    if as_json:
        show_json(rows)
    elif rows:
        console().print(table("", ("table", "column", "expected", "found"), [tuple(row.values()) for row in rows]))
    if rows:
        tell(f"{len(rows)} differences: python setup_schema.py mends what a migration can")
        raise typer.Exit(exits.DEGRADED)
    tell(f"{len(EVERY)} tables are as this code writes them")


def apply(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Create the database and bring it to this code's version, as `python setup_schema.py` does; twice is harmless."""
    call: Call = ctx.obj
    name, version, applied = call.settings.clickhouse_database, migrations()[-1].version, list[str]()
    ask_redis(call.settings, lambda redis: _apply(redis, call.settings, applied))
    if as_json:
        show_json({"database": name, "version": version, "applied": applied})
    else:
        tell(*(f"applied {one}" for one in applied), f"{name} has version {version}")


async def _apply(redis: Redis, settings: Settings, applied: list[str]) -> None:
    """Bring the database up to date, write it down, and put the migrations that it took into `applied`."""

    async def run() -> str:
        applied.extend(one.name for one in await asyncio.to_thread(database.apply, settings))
        # Before this deed itself is appended: running numbers of rows that stand must not come again.
        await continue_offsets(redis, await database.offsets_stored(Store(connect(settings))), settings)
        return f"version {migrations()[-1].version}"

    before = await _version(settings)
    name, command = settings.clickhouse_database, fleet("schema", "apply")
    await do(redis, Deed("schema apply", name, command, run, before=before), person())


async def _version(settings: Settings) -> str:
    try:
        applied = await Store(await asyncio.to_thread(connect, settings)).query(APPLIED)
    except StoreRefused as error:
        if error.code in exits.NO_SCHEMA:
            return "no schema"
        raise
    return f"version {applied.height}"


def _differences(wanted: Table, found: dict[str, str]) -> list[dict[str, str]]:
    """Return the columns of a table that are missing, are of another type, or that nobody knows."""
    expected = {column.name: column.sql_type for column in wanted.all_columns}
    names = dict.fromkeys([*expected, *found])
    return [
        {"table": wanted.name, "column": name, "expected": expected.get(name, ""), "found": found.get(name, "")}
        for name in names
        if expected.get(name) != found.get(name)
    ]


def _columns(call: Call, name: str, *, as_json: bool) -> None:
    rows = ask_clickhouse(call.settings, COLUMNS, {"table": name}).to_dicts()
    if not rows:
        tell(f"no table or view {name} in {call.settings.clickhouse_database}")
        raise typer.Exit(exits.FAILED)
    if as_json:
        show_json(rows)
        return
    cells = [(row["name"], row["type"], row["codec"].removeprefix("CODEC"), row["comment"]) for row in rows]
    console().print(table("", ("column", "type", "codec", "meaning"), cells))
