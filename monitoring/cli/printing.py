"""Data to standard output, messages to standard error; tables for people, JSON for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitoring.verdicts import Level, age_words

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PIPE_WIDTH = 240  # columns: what is not a terminal has no edge to break a table at
STYLES = {Level.WELL: "green", Level.OFF: "dim", Level.UNKNOWN: "cyan", Level.SLOW: "yellow", Level.DOWN: "bold red"}
Cell = str | Text


@dataclass(frozen=True)
class Manner:
    """How a command speaks: without messages, without colour."""

    is_quiet: bool = False
    is_plain: bool = False


AS_EVER = Manner()
MANNER: ContextVar[Manner] = ContextVar("manner", default=AS_EVER)  # of this call; set before its command runs


def console(stream: TextIO | None = None) -> Console:
    """Return where to print; it has no colour when it is not a terminal, when NO_COLOR is set, or --no-color."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    colours: Literal["auto"] | None = None if MANNER.get().is_plain else "auto"
    return Console(file=stream, width=width, color_system=colours, highlight=False, soft_wrap=False)


def tell(*lines: str) -> None:
    """Write messages, unless none are wanted: they are not the data that was asked for."""
    for line in () if MANNER.get().is_quiet else lines:
        sys.stderr.write(f"fleet: {line}\n")


def show_json(data: object) -> None:
    """Write one JSON document."""
    json.dump(data, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def as_dict(fact: "DataclassInstance") -> dict[str, Any]:
    """Return a fact of the monitoring as plain values; curves are for pages."""
    return {name: value for name, value in asdict(fact).items() if name != "trend"}


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Return a table; a column whose name ends in `>` is of numbers and stands to the right."""
    made = Table(
        title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1)
    )
    for column in columns:
        made.add_column(
            column.removesuffix(">"),
            justify="right" if column.endswith(">") else "left",
            no_wrap=column.endswith(">"),
            overflow="fold",
            header_style="dim",
        )
    for row in rows:
        made.add_row(*row)
    return made


def level_text(level: Level, words: str = "") -> Text:
    """Return a level in its colour, with words behind it."""
    return Text(words or str(level), style=STYLES[level])


def number(value: float | None, *, digits: int = 0) -> str:
    """Return a number for people, a dash for one that is not known."""
    return "-" if value is None else f"{value:,.{digits}f}"


def age(value: float | None) -> str:
    """Return an age for people."""
    return "-" if value is None else age_words(value)


def mebibytes(value: int | None) -> str:
    """Return bytes in MiB."""
    return "-" if value is None else f"{value / 2**20:,.1f}"
