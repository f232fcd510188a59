"""`fleet venues`: which venues are recorded, and why the others are not."""

from typing import Annotated, Any

import typer

from common.clock import now_ns
from common.errors import Unreachable
from common.readings import RedisReading
from common.redis_readings import RedisReader
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.printing import console, number, show_json, table

EXAMPLES = """
Examples:  fleet venues  |  fleet venues --json | jq '.[] | select(.enabled | not)'
"""


def venues(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,  # noqa: FBT002
) -> None:
    """Show every venue: its program, whether it is enabled, why not, and how it is."""
    call: Call = ctx.obj
    rows = _rows(ask_redis(call.settings, lambda redis: RedisReader(redis).read(now_ns())))
    if as_json:
        show_json(rows)
        return
    columns = ("venue", "program", "enabled", "state", "records>", "reconnects>", "detail")
    cells = [
        (
            row["venue"],
            row["program"],
            "yes" if row["enabled"] else "no",
            row["state"],
            number(row["records_total"]),
            number(row["reconnects_total"]),
            row["why"] or row["detail"],
        )
        for row in rows
    ]
    console().print(table("", columns, cells))


def _rows(reading: RedisReading) -> list[dict[str, Any]]:
    if reading.programs is None:
        raise Unreachable("the list of programs", reason="start.sh has not written it to this Redis yet")
    rows = []
    for program in reading.programs:
        if program.kind != "ingester":
            continue
        process = next((one for one in reading.processes if one.fact("program") == program.program), None)
        rows.append(
            {
                "venue": program.venue,
                "program": program.program,
                "enabled": program.enabled,
                "why": program.why,
                "state": process.fact("state") if process else "off" if not program.enabled else "no heartbeat",
                "detail": process.fact("detail") if process else "",
                "records_total": process.total("records_total") if process else None,
                "reconnects_total": process.total("reconnects_total") if process else None,
            }
        )
    return rows
