"""All commands, and how they end."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog
import typer

from common.errors import TickfleetError
from monitoring.cli import (
    acting,
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


Command = tuple[str, Callable[..., None], str]

COMMANDS: tuple[Command, ...] = (
    ("status", status.status, status.EXAMPLES),
    ("streams", streams.streams, streams.EXAMPLES),
    ("groups", groups.groups, groups.EXAMPLES),
    ("quality", quality.quality, quality.EXAMPLES),
    ("pause", acting.pause, acting.EXAMPLES),
    ("resume", acting.resume, acting.EXAMPLES),
    ("reset", acting.reset, acting.EXAMPLES),
    ("claim", acting.claim, acting.EXAMPLES),
    ("forget", forget.forget, forget.EXAMPLES),
    ("tail", tail.tail, tail.EXAMPLES),
    ("book", book.book, book.EXAMPLES),
    ("sql", sql.sql, sql.EXAMPLES),
    ("schema", schema.schema, schema.EXAMPLES),
    ("config", config.config, config.EXAMPLES),
    ("venues", venues.venues, venues.EXAMPLES),
    ("export", export.export, export.EXAMPLES),
    ("symbols", symbols.symbols, symbols.EXAMPLES),
    ("search", acting.search, acting.EXAMPLES),
    ("try", acting.try_out, acting.EXAMPLES),
    ("record", record.record, record.EXAMPLES),
    ("backfill", backfill.backfill, backfill.EXAMPLES),
    ("doctor", doctor.doctor, doctor.EXAMPLES),
    ("bench", bench.bench, bench.EXAMPLES),
    ("chaos", chaos.chaos, chaos.EXAMPLES),
)
LETTERS: tuple[Command, ...] = (
    ("ls", dead_letters.ls, dead_letters.EXAMPLES),
    ("show", dead_letters.show, dead_letters.EXAMPLES),
    ("redrive", redrive.redrive, dead_letters.EXAMPLES),
    ("drop", redrive.drop, dead_letters.EXAMPLES),
    ("mend", acting.mend, dead_letters.EXAMPLES),
)
ALARMS: tuple[Command, ...] = (
    ("ls", alerts.ls, alerts.EXAMPLES),
    ("history", alerts.history, alerts.EXAMPLES),
    ("mute", alerts.mute, alerts.EXAMPLES),
    ("test", alerts.test, alerts.EXAMPLES),
)


def app() -> typer.Typer:
    """Return the command line; what exists stands above."""
    made = _of(HELP, COMMANDS)
    made.add_typer(_of("Look at what could not be read or stored, and put it back.", LETTERS), name="dlq")
    made.add_typer(_of("What is amiss, who is told, what is to be quiet.", ALARMS), name="alerts")
    return made


def _of(words: str, commands: Iterable[Command]) -> typer.Typer:
    made = typer.Typer(help=words, no_args_is_help=True, pretty_exceptions_enable=False)
    for name, run, examples in commands:
        made.command(name, epilog=examples)(run)
    return made


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
