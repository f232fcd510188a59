"""`fleet streams`: every topic in Redis."""

from typing import Annotated

import typer

from monitoring import stream_rows
from monitoring.cli.asking import Call, look
from monitoring.cli.printing import age, as_dict, console, number, show_json, table

EXAMPLES = """
Examples:  fleet streams  |  fleet streams --json | jq '.[] | select(.topic=="trades").records_total'
"""


def streams(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show every stream: records ever appended, entries kept, rate, age of the oldest and the newest entry."""
    call: Call = ctx.obj
    rows = stream_rows.streams(look(call.settings))
    if as_json:
        show_json([as_dict(row) for row in rows])
        return
    columns = ("topic", "key", "shards>", "records>", "per s>", "entries kept>", "oldest>", "newest>")
    cells = [
        (
            row.topic,
            row.key,
            str(row.shards),
            number(row.records_total),
            number(row.records_per_s, digits=1),
            number(row.entries),
            age(row.oldest_age_s),
            age(row.newest_age_s),
        )
        for row in rows
    ]
    console().print(table("", columns, cells))
