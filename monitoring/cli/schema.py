"""`fleet schema`: the version of the database, its migrations, and what the columns mean."""

from typing import Annotated

import typer

from common.schema import migrations
from monitoring.cli import exits
from monitoring.cli.asking import Call, ask_clickhouse
from monitoring.cli.printing import console, show_json, table, tell

EXAMPLES = """
Examples:  fleet schema  |  fleet schema trades  |  fleet schema --json | jq .version
"""
APPLIED = "SELECT version, name, toString(applied_time) AS applied FROM schema_migrations ORDER BY version"
COLUMNS = """
SELECT name, type, compression_codec AS codec, comment FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} ORDER BY position
"""


def schema(
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
