"""The book processor as a program: every instant of every book exactly once, although it is killed on the way."""

import msgspec
import polars as pl
import pytest

from common.book_stat import BookStat
from common.records import BookUpdate
from common.redis_streams import Shard
from common.settings import Settings
from common.streams import BOOK_STATS, BOOKS
from processors.book_plan import plan_of
from processors.books import Books
from tests.book_kit import NOTHING, SECOND_NS, turned
from tests.fleet_harness import wait_for

RECORDING = "binance-ten-symbols-20210405.jsonl.gz"
SYMBOLS = "AXSBNB,BTCAUD,BTCSTUSDT,DENTUSDT,ETHBRL,MANAUSDT,NEOUSDC,QTUMETH,RENBTCETH,ZILUSDT"
ROWS = "SELECT count() FROM book_stats"
TOLD = "SELECT sum(updates) FROM book_stats"

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.fixture
def books(fleet, captures):
    """A fleet whose books are those of a recorded session."""
    assert captures.is_dir()
    fleet.environment |= {"BINANCE_SYMBOLS": SYMBOLS, "BINANCE_ENABLED": "true"}
    fleet.start_simulator("--replay", str(captures / RECORDING), "--speed", "20")
    return fleet


def is_through(fleet, group="book_processor", topic="books"):
    """Return whether a group has committed every record of a topic."""
    keys = [key for key in fleet.redis.scan_iter(match=f"stream:*{topic}*") if fleet.redis.type(key) == "stream"]
    return all(entry["lag"] == 0 and entry["pending"] == 0 for key in keys for entry in groups(fleet, key, group))


def groups(fleet, key, group):
    return [entry for entry in fleet.redis.xinfo_groups(key) if entry["name"] == group]


def test_killed_and_handed_over_it_tells_every_instant_of_every_book_once(books):
    for program in ("clickhouse_writer", "book_processor", "binance_ingester"):
        books.start_program(program)
    wait_for(lambda: books.sql(f"{ROWS} HAVING count() > 200") != [], what="statistics", give_up_s=90)
    books.kill("book_processor")
    books.restart("book_processor")
    wait_for(lambda: books.sql(f"{ROWS} HAVING count() > 1000") != [], what="statistics", give_up_s=90)
    books.end("book_processor")
    books.restart("book_processor")
    wait_for(lambda: books.sql("SELECT count() FROM book_updates")[0][0], expected=4_652, what="books", give_up_s=90)
    wait_for(lambda: books.sql(TOLD)[0][0], expected=4_652, what="the last changes in the silence", give_up_s=90)
    told = books.sql(ROWS)[0][0]
    books.kill("book_processor")
    books.restart("book_processor")
    wait_for(lambda: books.sql(ROWS)[0][0] > told, what="seconds of the silence", give_up_s=90)
    books.end("book_processor")
    wait_for(lambda: is_through(books, "clickhouse_writer", "book_stats"), what="the writer", give_up_s=90)

    assert [] == books.sql(
        "SELECT symbol, event_time, count() FROM book_stats WHERE source = 'maintained' "
        "GROUP BY symbol, event_time HAVING count() > 1"
    )
    assert [] == books.sql("SELECT * FROM dead_letters")
    assert 4_652 == books.sql(TOLD)[0][0]
    found, whole = (by_symbol(rows) for rows in (lines(books, BOOK_STATS.key(0, 1)), made_in_one_life(books)))
    assert {symbol: rows[: len(found[symbol])] for symbol, rows in whole.items()} == found
    assert 10 == books.sql("SELECT uniqExact(symbol) FROM book_snapshots WHERE source = 'maintained'")[0][0]


def lines(fleet, key, record=BookStat):
    """Return the records of a stream, each as bytes in one form."""
    found = fleet.redis.xrange(key)
    return [
        msgspec.json.encode(msgspec.json.decode(line, type=record))
        for _, fields in found
        for line in fields["data"].splitlines()
    ]


def made_in_one_life(fleet):
    """Return the statistics that a state makes of all messages of its shard and the silence behind, one life long."""
    made = []
    for key in (Shard(BOOKS, number, 4).key for number in range(4)):
        updates = [msgspec.json.decode(line, type=BookUpdate) for line in lines(fleet, key, BookUpdate)]
        books = Books(plan=plan_of(Settings()))
        rows, _, _ = turned(books, updates)
        silence = books.rest(SECOND_NS * 3_600, NOTHING)
        rows = pl.concat([rows, silence.rows]) if silence else rows
        made += [msgspec.json.encode(BookStat(**row)) for row in rows.iter_rows(named=True)]
    return made


def by_symbol(rows):
    """Return the rows of each symbol in the order in which they were told."""
    found = {}
    for row in rows:
        found.setdefault(msgspec.json.decode(row, type=BookStat).symbol, []).append(row)
    return found
