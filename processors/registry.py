"""PROCESSORS: every consumer group: what it reads, what it does, where it writes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import polars as pl

from common.columns import Table
from common.settings import Settings
from common.streams import BOOK_SNAPSHOTS, BOOK_STATS, BOOKS, CANDLES, ORDER_EVENTS, TRADES, Stream
from common.tables import BAR_VERSIONS, QUOTE_ROWS, TABLES, TRADE_ROWS
from processors.book_plan import choice_of, plan_of
from processors.books import Books
from processors.candles import Candles
from processors.processor import Copy, Lookup, Made, Processor, identity
from processors.transforms.notionals import with_notional
from processors.transforms.polymarket_trades import polymarket_trades, tokens_of
from processors.transforms.rest_books import rest_book_stats

WRITER = "clickhouse_writer"
TRADE_PROCESSOR = "trade_processor"
BOOK_PROCESSOR = "book_processor"
BAR_PROCESSOR = "bar_processor"
FILE_WRITER = "file_writer"

MARKET_OF_TOKEN = Lookup(
    keys=tokens_of,
    sql="""
        SELECT token_id, any(market_id) AS market_id, any(outcome) AS outcome
        FROM market_tokens WHERE token_id IN {keys:Array(String)} GROUP BY token_id
    """,
    schema={"token_id": pl.String, "market_id": pl.String, "outcome": pl.String},
)

COPIED = (TRADE_ROWS, QUOTE_ROWS, BAR_VERSIONS)


def _rows_of(table: Table) -> Callable[[pl.DataFrame, pl.DataFrame], Made]:
    return with_notional if table is TRADE_ROWS else identity


def _why_no_copy(settings: Settings) -> str | None:
    return None if settings.copy_format else "set COPY_FORMAT to keep files as well"


PROCESSORS = (
    Processor(TRADE_PROCESSOR, ORDER_EVENTS, polymarket_trades, TRADES, MARKET_OF_TOKEN),
    Processor(BOOK_PROCESSOR, BOOKS, None, BOOK_STATS, state=Books),
    Processor(BOOK_PROCESSOR, BOOK_SNAPSHOTS, rest_book_stats, BOOK_STATS),
    Processor(BAR_PROCESSOR, TRADES, None, CANDLES, state=Candles),
    *(Processor(WRITER, table.source, _rows_of(table), table) for table in TABLES),
    *(Processor(FILE_WRITER, table.source, _rows_of(table), Copy(table), why_off=_why_no_copy) for table in COPIED),
)

PROGRAMS = (TRADE_PROCESSOR, BOOK_PROCESSOR, BAR_PROCESSOR, WRITER, FILE_WRITER)


def of_program(program: str) -> tuple[Processor, ...]:
    """Return what a program runs."""
    return tuple(processor for processor in PROCESSORS if processor.program == program)


def as_set(processor: Processor, settings: Settings) -> Processor:
    """Return a processor as the operator wants it."""
    if processor.transform is rest_book_stats:
        return replace(processor, transform=partial(rest_book_stats, choice=choice_of(settings)))
    if processor.state is not Books:
        return processor
    return replace(processor, state=partial(Books, plan=plan_of(settings)))


def why_off(program: str, settings: Settings) -> str | None:
    """Return why a program is not to run, None if it is."""
    return next((reason for one in of_program(program) if (reason := one.why_off(settings))), None)


def groups_on(stream: Stream, settings: Settings) -> list[str]:
    """Return the consumer groups that must have read a stream before it may be trimmed."""
    return [one.program for one in PROCESSORS if one.source is stream and one.why_off(settings) is None]
