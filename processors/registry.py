"""PROCESSORS: every consumer group: what it reads, what it does, where it writes."""

from dataclasses import replace
from functools import partial

import polars as pl

from common.settings import Settings
from common.streams import BOOK_SNAPSHOTS, BOOK_STATS, BOOKS, ORDER_EVENTS, TRADES, Stream
from common.tables import TABLES, TRADE_ROWS
from processors.book_plan import plan_of
from processors.books import Books
from processors.processor import Lookup, Processor, identity
from processors.transforms.notionals import with_notional
from processors.transforms.polymarket_trades import polymarket_trades, tokens_of
from processors.transforms.rest_books import rest_book_stats

WRITER = "clickhouse_writer"
TRADE_PROCESSOR = "trade_processor"
BOOK_PROCESSOR = "book_processor"

MARKET_OF_TOKEN = Lookup(
    keys=tokens_of,
    sql="""
        SELECT token_id, any(market_id) AS market_id, any(outcome) AS outcome
        FROM market_tokens WHERE token_id IN {keys:Array(String)} GROUP BY token_id
    """,
    schema={"token_id": pl.String, "market_id": pl.String, "outcome": pl.String},
)

PROCESSORS = (
    Processor(TRADE_PROCESSOR, ORDER_EVENTS, polymarket_trades, TRADES, MARKET_OF_TOKEN),
    Processor(BOOK_PROCESSOR, BOOKS, None, BOOK_STATS, state=Books),
    Processor(BOOK_PROCESSOR, BOOK_SNAPSHOTS, rest_book_stats, BOOK_STATS),
    *(Processor(WRITER, table.source, with_notional if table is TRADE_ROWS else identity, table) for table in TABLES),
)

PROGRAMS = (TRADE_PROCESSOR, BOOK_PROCESSOR, WRITER)


def of_program(program: str) -> tuple[Processor, ...]:
    """Return what a program runs."""
    return tuple(processor for processor in PROCESSORS if processor.program == program)


def as_set(processor: Processor, settings: Settings) -> Processor:
    """Return a processor as the operator wants it."""
    if processor.state is not Books:
        return processor
    return replace(processor, state=partial(Books, plan=plan_of(settings)))


def groups_on(stream: Stream) -> list[str]:
    """Return the consumer groups that must have read a stream before it may be trimmed."""
    return [processor.program for processor in PROCESSORS if processor.source is stream]
