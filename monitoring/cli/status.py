"""`fleet status`: programs, streams, lag and tables on one screen."""

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from common.clock import now_ns
from monitoring.cli import exits
from monitoring.cli.asking import Call, look
from monitoring.cli.printing import age, as_dict, console, level_text, mebibytes, number, show_json, table
from monitoring.facts import Overview, Process
from monitoring.overview import house_of, overview
from monitoring.verdicts import Level

EXAMPLES = """
Examples:  fleet status  |  fleet status --json | jq .level  |  fleet status >/dev/null || echo "look at it"
"""


def status(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,  # noqa: FBT002
) -> None:
    """Show programs, streams, lag and tables; exit 3 when something is ill, 4 when nothing runs."""
    call: Call = ctx.obj
    settings = call.settings
    view = overview(look(settings), now_ns(), house_of(settings))
    code = exit_code(view)
    if as_json:
        show_json({**as_dict(view), "exit_code": code})
    else:
        _show(view, console())
    raise typer.Exit(code)


def exit_code(view: Overview) -> int:
    """Return 4 when no program has a heartbeat, 3 when anything is not well, else 0."""
    if not any(process.beat_age_s is not None for process in view.processes):
        return exits.NOT_RUNNING
    return exits.OK if view.level in (Level.WELL, Level.OFF) else exits.DEGRADED


def _show(view: Overview, out: Console) -> None:
    head = Text.assemble((str(view.level), level_text(view.level).style), f"  {view.words}")
    figures = [view.mode or "live", f"{number(view.records_per_s, digits=1)} records/s"]
    out.print(head, Text(f"   {', '.join(figures)}, at most {age(view.worst_lag_s)} behind", style="dim"))
    servers = [
        (server.name, level_text(server.verdict.level, server.verdict.words), server.version, server.detail)
        for server in view.servers
    ]
    servers.append(("schema", level_text(view.schema.level, view.schema.words), "", view.schema.remedy))
    out.print(table("\nServers", ("server", "state", "version", "detail"), servers))
    columns = ("program", "state", "up>", "per s>", "CPU %>", "MiB>", "last error")
    out.print(table("\nPrograms", columns, [_program(process) for process in view.processes]))
    for disabled in view.disabled:
        out.print(Text(f"{disabled.program}  disabled: {disabled.why}", style="dim"))
    _show_data(view, out)


def _program(process: Process) -> tuple[str | Text, ...]:
    error = f"{process.last_error} ({age(process.last_error_age_s)} ago)" if process.last_error else ""
    return (
        process.name,
        level_text(process.verdict.level, process.verdict.words),
        age(process.uptime_s),
        number(process.records_per_s, digits=1),
        number(process.cpu_pct, digits=1),
        mebibytes(process.rss_bytes),
        Text(error[:100], style="dim"),
    )


def _show_data(view: Overview, out: Console) -> None:
    streams = [
        (
            row.topic,
            number(row.records_total),
            number(row.records_per_s, digits=1),
            number(row.entries),
            age(row.newest_age_s),
        )
        for row in view.streams
        if row.records_total
    ]
    out.print(table("\nStreams", ("topic", "records>", "per s>", "entries kept>", "newest>"), streams))
    groups = [
        (row.name, row.topic, level_text(row.verdict.level, row.verdict.words), number(row.lag_records), age(row.lag_s))
        for row in view.groups
        if row.lag_records or row.verdict.level is not Level.WELL or row.records_per_s
    ]
    if groups:
        out.print(table("\nGroups at work", ("group", "topic", "state", "behind>", "by>"), groups))
    tables = [
        (row.name, number(row.rows), number(row.rows_per_min), mebibytes(row.size_bytes), age(row.inserted_age_s))
        for row in view.tables
        if row.topic and row.rows
    ]
    out.print(table("\nTables", ("table", "rows>", "per min>", "MiB>", "last insert>"), tables))
