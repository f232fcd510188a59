"""All commands, and how they end."""

import logging
from collections.abc import Mapping, Sequence

import structlog
import typer

from common.errors import TickfleetError
from monitoring.cli import (
    alerts,
    backfill,
    bench,
    book,
    chaos,
    config,
    dead_letters,
    doctor,
    export,
    forget,
    groups,
    quality,
    record,
    redrive,
    schema,
    sql,
    status,
    streams,
    symbols,
    tail,
    venues,
)
from monitoring.cli.asking import Call
from monitoring.cli.exits import OK, code_of, words_of
from monitoring.cli.printing import tell

HELP = """
Look at a running fleet, and ask its data.

Exit codes: 0 ok, 1 failed, 2 usage, 3 degraded, 4 not running, 78 bad configuration. Data goes to standard output,
messages to standard error; NO_COLOR is respected, and nothing ever asks a question.
"""


def app() -> typer.Typer:
    """Return the command line; what exists stands here."""
    made = typer.Typer(help=HELP, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False)
    made.command("status", epilog=status.EXAMPLES)(status.status)
    made.command("streams", epilog=streams.EXAMPLES)(streams.streams)
    made.command("groups", epilog=groups.EXAMPLES)(groups.groups)
    made.command("quality", epilog=quality.EXAMPLES)(quality.quality)
    made.command("forget", epilog=forget.EXAMPLES)(forget.forget)
    made.command("tail", epilog=tail.EXAMPLES)(tail.tail)
    made.command("book", epilog=book.EXAMPLES)(book.book)
    made.command("sql", epilog=sql.EXAMPLES)(sql.sql)
    made.command("schema", epilog=schema.EXAMPLES)(schema.schema)
    made.command("config", epilog=config.EXAMPLES)(config.config)
    made.command("venues", epilog=venues.EXAMPLES)(venues.venues)
    made.command("export", epilog=export.EXAMPLES)(export.export)
    made.command("symbols", epilog=symbols.EXAMPLES)(symbols.symbols)
    made.command("record", epilog=record.EXAMPLES)(record.record)
    made.command("backfill", epilog=backfill.EXAMPLES)(backfill.backfill)
    made.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
    made.command("bench", epilog=bench.EXAMPLES)(bench.bench)
    made.command("chaos", epilog=chaos.EXAMPLES)(chaos.chaos)
    letters = typer.Typer(help="Look at what could not be read or stored, and put it back.", no_args_is_help=True)
    letters.command("ls", epilog=dead_letters.EXAMPLES)(dead_letters.ls)
    letters.command("show", epilog=dead_letters.EXAMPLES)(dead_letters.show)
    letters.command("redrive", epilog=dead_letters.EXAMPLES)(redrive.redrive)
    letters.command("drop", epilog=dead_letters.EXAMPLES)(redrive.drop)
    made.add_typer(letters, name="dlq")
    made.add_typer(_alarms(), name="alerts")
    return made


def _alarms() -> typer.Typer:
    alarms = typer.Typer(help="What is amiss, who is told, what is to be quiet.", no_args_is_help=True)
    alarms.command("ls", epilog=alerts.EXAMPLES)(alerts.ls)
    alarms.command("history", epilog=alerts.EXAMPLES)(alerts.history)
    alarms.command("mute", epilog=alerts.EXAMPLES)(alerts.mute)
    alarms.command("test", epilog=alerts.EXAMPLES)(alerts.test)
    return alarms


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; return its exit code."""
    _silence_logs()
    try:
        app()(list(arguments), prog_name="fleet", obj=Call(environ))
    except TickfleetError as error:
        tell(*words_of(error))
        return code_of(error)
    return OK


def _silence_logs() -> None:
    """Keep the libraries' and our own log lines out of the answers: what matters is told by the commands."""
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger)
    logging.disable(logging.CRITICAL)
