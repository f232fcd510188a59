"""The literals agree with each other, with the database and with what is printed."""

import re
from dataclasses import replace

import msgspec
import pytest

from common.columns import create_sql
from common.errors import (
    BadAnswer,
    BadSettings,
    FeedRefused,
    Fenced,
    ScaleOverflow,
    SchemaMismatch,
    StoreRefused,
    StreamRefused,
    UnreadableRecord,
    WireError,
    WireLost,
)
from common.schema import migrations
from common.settings import Settings
from common.streams import BY_RECORD, STREAMS
from common.tables import REMOVED_ROWS, TABLES
from ingesters.registry import VENUES
from processors.registry import PROCESSORS, PROGRAMS, groups_on


def test_every_stream_carries_its_own_record_and_has_a_table_but_candles_which_are_views():
    assert len(STREAMS) == len(BY_RECORD)
    assert {stream.topic for stream in STREAMS} - {"candles"} == {table.source.topic for table in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_comes_from_a_field_that_is_optional_only_if_the_column_is(table):
    fields = {field.name: field for field in msgspec.structs.fields(table.source.record)}
    may_be_null = {name for name, field in fields.items() if "None" in str(field.type) and field.name != "notional"}

    assert {column.field for column in table.columns} <= fields.keys()
    assert may_be_null & {column.field for column in table.columns} == {
        column.field for column in table.columns if column.optional
    }


def test_every_table_has_one_writer_and_every_group_is_waited_for_before_trimming():
    written = [processor.target.name for processor in PROCESSORS if processor.program == "clickhouse_writer"]

    assert sorted(table.name for table in TABLES) == sorted(written)
    assert {
        "order_events": ["trade_processor", "clickhouse_writer"],
        "trades": ["bar_processor", "clickhouse_writer"],
        "books": ["book_processor", "clickhouse_writer"],
        "book_snapshots": ["book_processor", "clickhouse_writer"],
    } == {stream.topic: groups_on(stream, Settings()) for stream in STREAMS if len(groups_on(stream, Settings())) > 1}


def test_programs_have_names_of_their_own_that_say_what_they_are():
    programs = [*(venue.program for venue in VENUES), *PROGRAMS]

    assert len(programs) == len(set(programs))
    assert all(program.endswith(("_ingester", "_processor", "_writer")) for program in programs)


def test_migrations_are_numbered_without_a_hole():
    assert list(range(1, len(migrations()) + 1)) == [migration.version for migration in migrations()]


def test_migrations_create_the_tables_as_they_are_declared():
    script = "\n".join(migration.script for migration in migrations())
    altered = re.findall(r"ALTER TABLE (\w+)\s+ADD COLUMN([^;]*);", script)
    added = {(table, name) for table, rest in altered for name in re.findall(r"IF NOT EXISTS (\w+)", rest)}
    every = (*TABLES, *REMOVED_ROWS)
    declared = {(table.name, column.name) for table in every for column in table.columns}
    first = [
        replace(table, columns=tuple(c for c in table.columns if (table.name, c.name) not in added)) for table in every
    ]

    assert [] == [table.name for table in first if create_sql(table) not in script]
    assert added <= declared


@pytest.mark.clickhouse
def test_the_database_has_the_columns_that_are_declared_and_a_comment_on_each(fleet):
    for table in (*TABLES, *REMOVED_ROWS):
        found = [(name, kind) for name, kind, *_ in fleet.sql(f"DESCRIBE {table.name}")]
        assert [(column.name, column.sql_type) for column in table.all_columns] == found
    told = "database = currentDatabase() AND table NOT LIKE '%\\_fill'"
    assert [] == fleet.sql(f"SELECT table, name FROM system.columns WHERE {told} AND comment = ''")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadSettings(["A: wrong", "B: missing"]), "A: wrong\nB: missing"),
        (FeedRefused("okx", reason="HTTP 401"), "okx refused: HTTP 401"),
        (Fenced("writer on x", epoch=3), "writer on x: epoch 3 is over, another process has taken it"),
        (SchemaMismatch(expected=2, found=1), "expected schema version 2, found 1: run python setup_schema.py"),
        (
            SchemaMismatch(expected=1, found=2),
            "expected schema version 1, found 2: update Tickfleet, this code is older",
        ),
        (WireLost("okx", reason="closed"), "okx: closed"),
        (BadAnswer("gamma", reason="HTTP 200 with errors"), "gamma could not answer: HTTP 200 with errors"),
        (WireError("okx", reason="no JSON", payload=b"abc"), "okx sent 3 unreadable bytes: no JSON"),
        (UnreadableRecord("Trade", reason="no price"), "expected a Trade: no price"),
        (ScaleOverflow("prices", digits=18), "expected prices below 2^62 x 10^-18, found one that is larger"),
        (StreamRefused("stream:trades", reason="full"), "stream:trades: full"),
        (StoreRefused("insert", code=252, reason="too many parts"), "insert: too many parts (code 252)"),
        (StoreRefused("insert", code=0, reason="reset"), "insert: reset"),
    ],
)
def test_errors_word_themselves(error, words):
    assert words == str(error)
