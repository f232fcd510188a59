"""`fleet export`: a table, or a part of it, as a file that other tools read."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.progress import Progress

from common import clickhouse
from monitoring.cli.asking import Call, ask_clickhouse
from monitoring.cli.exits import FAILED, USAGE
from monitoring.cli.printing import console, mebibytes, show_json, tell
from monitoring.cli.times import Wrong, moment_ns

EXAMPLES = """
Examples:  fleet export trades --symbol BTCUSDT --since 10m --to btc.parquet  |
fleet export bars_1m --venue okx --from 2026-11-01 --until 2026-11-02 --to bars.csv
"""
FORMATS = {".parquet": "Parquet", ".csv": "CSVWithNames", ".jsonl": "JSONEachRow"}
# By which column "since" is judged: the first of these that the table has and that is never null.
TIMES = ("event_time", "open_time", "from_time", "received_time", "updated_time")
PARTIAL = ".partial"


def export(  # noqa: PLR0913, PLR0917  each is an option of the command
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(help="A table or view of the fleet's database.")],
    to: Annotated[Path, typer.Option("--to", help="The file; its ending is the format: .parquet, .csv or .jsonl.")],
    venue: Annotated[str | None, typer.Option("--venue")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol")] = None,
    since: Annotated[
        str | None, typer.Option("--since", "--from", help="e.g. 30s, 10m, 6h, 7d, or a time in UTC.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="A time in UTC: 2026-11-21T09:30.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as a JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Write rows to a file; it appears under its name when it is whole."""
    call: Call = ctx.obj
    try:
        sql, parameters = _question(_columns(call, table), table, {"venue": venue, "symbol": symbol}, (since, until))
        form = _form(to)
    except Wrong as error:
        tell(str(error))
        raise typer.Exit(USAGE) from error
    store = clickhouse.Store(clickhouse.connect(call.settings))
    made = call.path(to)
    partial = made.with_name(made.name + PARTIAL)
    try:
        _write(partial, store.stream(sql, form, parameters), f"{table} → {to.name}")
        rows = _rows(partial, form)
        partial.replace(made)
    except OSError as error:
        tell(f"--to {to}: {error.strerror or error}")
        raise typer.Exit(FAILED) from error
    finally:
        partial.unlink(missing_ok=True)  # what was interrupted is no file of ours
    if as_json:
        show_json({"file": str(made), "rows": rows, "bytes": made.stat().st_size})
    else:
        console().print(f"wrote {to}  {rows:,} rows  {mebibytes(made.stat().st_size)} MiB")


def _write(file: Path, chunks: Iterator[bytes], words: str) -> None:
    """Write what comes, with a bar for who looks on."""
    with file.open("wb") as opened, Progress(transient=True, console=console(sys.stderr)) as progress:
        task = progress.add_task(words, total=None)
        for chunk in chunks:
            opened.write(chunk)
            progress.update(task, advance=len(chunk))


def _form(file: Path) -> str:
    try:
        return FORMATS[file.suffix]
    except KeyError:
        raise Wrong(f"--to {file}: expected a name that ends in {', '.join(FORMATS)}") from None


def _columns(call: Call, table: str) -> dict[str, str]:
    """Return the columns of a table and their types."""
    sql = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
    found = ask_clickhouse(call.settings, sql, {"table": table})
    if found.is_empty():
        raise Wrong(f"{table}: no such table or view; see: fleet schema")
    return dict(zip(found["name"], found["type"], strict=True))


def _question(
    columns: dict[str, str], table: str, only: dict[str, str | None], times: tuple[str | None, str | None]
) -> tuple[str, dict[str, Any]]:
    """Return the statement and its parameters."""
    wanted = {name: value for name, value in only.items() if value is not None}
    if unknown := wanted.keys() - columns.keys():
        raise Wrong(f"{table} has no column {', '.join(sorted(unknown))}")
    conditions = [f"{name} = {{{name}:String}}" for name in wanted]
    parameters: dict[str, Any] = dict(wanted)
    moments = [
        (word, sign, text) for word, sign, text in zip(("since", "until"), (">=", "<"), times, strict=True) if text
    ]
    if moments:
        column = next((name for name in TIMES if columns.get(name, "Nullable").startswith("DateTime64")), None)
        if column is None:
            raise Wrong(f"{table} has no time that every row tells: leave --since and --until out")
        for word, sign, text in moments:
            conditions.append(f"{column} {sign} fromUnixTimestamp64Nano({{{word}:Int64}})")
            parameters[word] = moment_ns(text)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT * FROM {table}{where}", parameters  # noqa: S608  the table was found in system.columns


def _rows(file: Path, form: str) -> int:
    if form == "Parquet":
        return int(pl.scan_parquet(file).select(pl.len()).collect().item()) if file.stat().st_size else 0
    with file.open("rb") as lines:
        return sum(1 for _ in lines) - (form == "CSVWithNames")
