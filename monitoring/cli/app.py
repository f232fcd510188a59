"""All commands, and how they end."""

import logging
from collections.abc import Mapping, Sequence
from typing import Annotated

import structlog
import typer

from common.errors import TickfleetError
from common.heartbeat import VERSION
from monitoring.cli import (
    acting,
    alerts,
    backfill,
    bench,
    book,
    chaos,
    cheat_sheets,
    config,
    dead_letters,
    doctor,
    export,
    forget,
    groups,
    life,
    logs,
    programs,
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
    versions,
)
from monitoring.cli.asking import Call
from monitoring.cli.exits import OK, code_of, words_of
from monitoring.cli.families import Command, Family, family_of, typer_of
from monitoring.cli.printing import AS_EVER, MANNER, tell

HELP = """
Look at a running fleet, ask its data, and act on it.

Exit codes: 0 ok, 1 failed, 2 usage, 3 degraded, 4 not running, 78 bad configuration, 130 interrupted. \
Data goes to standard output, messages to standard error; NO_COLOR is respected, and nothing ever asks a question.

Completion for this shell: eval "$(./fleet --show-completion)"
"""


COMMANDS: tuple[Command, ...] = (
    ("status", status.status, status.EXAMPLES),
    ("doctor", doctor.doctor, doctor.EXAMPLES),
    ("logs", logs.logs, logs.EXAMPLES),
    ("groups", groups.groups, groups.EXAMPLES),
    ("pause", acting.pause, acting.EXAMPLES),
    ("resume", acting.resume, acting.EXAMPLES),
    ("reset", acting.reset, acting.EXAMPLES),
    ("claim", acting.claim, acting.EXAMPLES),
    ("forget", forget.forget, forget.EXAMPLES),
    ("tail", tail.tail, tail.EXAMPLES),
    ("quality", quality.quality, quality.EXAMPLES),
    ("book", book.book, book.EXAMPLES),
    ("sql", sql.sql, sql.EXAMPLES),
    ("export", export.export, export.EXAMPLES),
    ("venues", venues.venues, venues.EXAMPLES),
    ("symbols", symbols.symbols, symbols.EXAMPLES),
    ("search", acting.search, acting.EXAMPLES),
    ("try", acting.try_out, acting.EXAMPLES),
    ("record", record.record, record.EXAMPLES),
    ("backfill", backfill.backfill, backfill.EXAMPLES),
    ("up", life.up, life.EXAMPLES),
    ("replay", life.replay, life.EXAMPLES),
    ("down", life.down, life.EXAMPLES),
    ("start", programs.start, programs.EXAMPLES),
    ("stop", programs.stop, programs.EXAMPLES),
    ("restart", programs.restart, programs.EXAMPLES),
    ("switch", programs.switch, programs.EXAMPLES),
    ("bench", bench.bench, bench.EXAMPLES),
    ("chaos", chaos.chaos, chaos.EXAMPLES),
    ("version", versions.version, versions.EXAMPLES),
    ("help", cheat_sheets.cheat_sheet, cheat_sheets.EXAMPLES),
)
FAMILIES = (
    Family(
        "streams",
        "Look at the streams in Redis; alone it is `ls`.",
        (("ls", streams.ls, streams.EXAMPLES), ("show", streams.show, streams.EXAMPLES)),
        streams.EXAMPLES,
    ),
    Family(
        "dlq",
        "Look at what could not be read or stored, and put it back; alone it is `ls`.",
        (
            ("ls", dead_letters.ls, dead_letters.EXAMPLES),
            ("show", dead_letters.show, dead_letters.EXAMPLES),
            ("redrive", redrive.redrive, dead_letters.EXAMPLES),
            ("drop", redrive.drop, dead_letters.EXAMPLES),
            ("mend", acting.mend, dead_letters.EXAMPLES),
        ),
        dead_letters.EXAMPLES,
    ),
    Family(
        "alerts",
        "What is amiss, who is told, what is to be quiet; alone it is `ls`.",
        (
            ("ls", alerts.ls, alerts.EXAMPLES),
            ("rules", alerts.rules, alerts.EXAMPLES),
            ("history", alerts.history, alerts.EXAMPLES),
            ("mute", alerts.mute, alerts.EXAMPLES),
            ("test", alerts.try_out, alerts.EXAMPLES),
        ),
        alerts.EXAMPLES,
    ),
    Family(
        "schema",
        "The version of the database, and what its columns mean; alone it is `status`.",
        (
            ("status", schema.status, schema.EXAMPLES),
            ("diff", schema.diff, schema.EXAMPLES),
            ("apply", schema.apply, schema.EXAMPLES),
        ),
        schema.EXAMPLES,
    ),
    Family(
        "config",
        "Every setting, its value, and where it comes from; alone it is `show`.",
        (
            ("show", config.show, config.EXAMPLES),
            ("check", config.check, config.EXAMPLES),
            ("path", config.path, config.EXAMPLES),
        ),
        config.EXAMPLES,
    ),
)


def app() -> typer.Typer:
    """Return the command line; what exists stands above."""
    made = typer_of(HELP, COMMANDS)
    made.callback(help=HELP)(_root)
    for family in FAMILIES:
        made.add_typer(family_of(family), name=family.name)
    return made


def _told_version(wanted: bool) -> None:  # noqa: FBT001  an option's value
    if wanted:
        typer.echo(f"fleet {VERSION}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_told_version, help="Tell it; more: fleet version."),
]


def _root(version: Version = False) -> None:  # noqa: FBT002
    del version


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command; return its exit code."""
    MANNER.set(AS_EVER)
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
