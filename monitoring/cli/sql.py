"""`fleet sql`: ask ClickHouse; it can read and nothing else, and not for ever, unless told so."""

import csv
import io
import sys
from collections.abc import Iterator
from typing import Annotated, Literal

import typer

from common import clickhouse
from monitoring.cli.asking import Call, ask_redis
from monitoring.cli.exits import USAGE
from monitoring.cli.printing import console, table, tell
from monitoring.cli.whose import person
from monitoring.doing.deeds import Deed, do
from monitoring.prompts import fleet
from monitoring.sql_box import NAMES_A_FORM

EXAMPLES = """
Examples:  fleet sql "SELECT venue, count() FROM trades GROUP BY venue"  |
fleet sql "SELECT * FROM quotes" --format parquet > quotes.parquet
"""
FORMATS = {"table": "TSVRawWithNamesAndTypes", "json": "JSONEachRow", "csv": "CSVWithNames", "parquet": "Parquet"}
ROWS_SHOWN = 1_000
LONGEST_S = 60
MOST = {"max_memory_usage": 4 * 2**30}
NUMBERS = ("Int", "UInt", "Float", "Decimal", "Nullable(Int", "Nullable(UInt", "Nullable(Float", "Nullable(Decimal")


def sql(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="One statement, or - to read it from standard input.")],
    how: Annotated[
        Literal["table", "json", "csv", "parquet"], typer.Option("--format", help="How to print.")
    ] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,  # noqa: FBT002
    longest_s: Annotated[
        int, typer.Option("--timeout", min=0, metavar="SECONDS", help="Give up after so long; 0: never.")
    ] = LONGEST_S,
    write: Annotated[bool, typer.Option("--write", help="Allow statements that change something.")] = False,  # noqa: FBT002
) -> None:
    """Run one statement in the fleet's database; rows go to standard output."""
    call: Call = ctx.obj
    text = (sys.stdin.read() if query == "-" else query).strip().rstrip(";")
    if not write and NAMES_A_FORM.search(text):
        tell("leave FORMAT out of the statement: --format says how to print, table, json, csv or parquet")
        raise typer.Exit(USAGE)
    store = clickhouse.Store(clickhouse.connect(call.settings))
    if write:
        deed = _writing(store, call.settings.clickhouse_database, text)
        tell(ask_redis(call.settings, lambda redis: do(redis, deed, person())))
        return
    how = "json" if as_json else how
    # One more than is shown says that there are more; a person's screen must not cost the machine its memory.
    shown = {"limit": ROWS_SHOWN + 1} if how == "table" else {}
    chunks = store.stream(text, FORMATS[how], limits={"max_execution_time": longest_s, **MOST, **shown})
    if how == "table":
        _show(b"".join(chunks).decode(errors="replace"))
    elif how == "json":
        _show_array(chunks)
    else:
        _copy(chunks)


def _writing(store: clickhouse.Store, database: str, statement: str) -> Deed:
    """Return the deed that runs a statement which may change something."""

    async def run() -> str:
        await store.command(statement)
        return "done"

    return Deed(action="sql", subject=database, command=fleet("sql", "--write", statement), run=run)


def _copy(chunks: Iterator[bytes]) -> None:
    sys.stdout.flush()
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _show_array(chunks: Iterator[bytes]) -> None:
    """Write rows that come one a line as the elements of one array."""
    lines = [line for line in b"".join(chunks).decode().split("\n") if line]
    sys.stdout.write("[\n" + ",\n".join(lines) + "\n]\n")


def _show(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows:
        return
    names, types, *values = rows
    columns = [f"{name}>" if kind.startswith(NUMBERS) else name for name, kind in zip(names, types, strict=True)]
    console().print(table("", columns, values[:ROWS_SHOWN]))
    if len(values) > ROWS_SHOWN:
        tell(f"only the first {ROWS_SHOWN:,} rows are shown: use --format csv, json or parquet for all")
