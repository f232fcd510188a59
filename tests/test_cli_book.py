"""`fleet book` against the plainest book there is, on a replayed recording, and against a book that is not known."""

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from common.clickhouse import Store, connect
from common.settings import Settings
from monitoring.books import BookAt
from tests.cli_kit import run
from tests.fleet_harness import Fleet, wait_for

__all__ = ["run"]

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(240)]

RECORDING = "binance-ten-symbols-20210405.jsonl.gz"
SYMBOLS = ("BTCAUD", "ZILUSDT", "MANAUSDT")
MESSAGES = 4_652
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Servers, and the tables; each test brings symbols of its own."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("book")) as made:
        made.start_servers()
        yield made


@pytest.fixture(scope="module")
def replayed(store, captures):
    """A recorded session in the tables."""
    symbols = "AXSBNB,BTCAUD,BTCSTUSDT,DENTUSDT,ETHBRL,MANAUSDT,NEOUSDC,QTUMETH,RENBTCETH,ZILUSDT"
    store.environment |= {"BINANCE_SYMBOLS": symbols, "BINANCE_ENABLED": "true"}
    store.start_simulator("--replay", str(captures / RECORDING), "--speed", "max")
    for program in ("clickhouse_writer", "binance_ingester"):
        store.start_program(program)
    wait_for(
        lambda: store.sql("SELECT count() FROM book_updates WHERE venue = 'binance'")[0][0],
        expected=MESSAGES,
        what="books",
    )
    for program in ("binance_ingester", "clickhouse_writer"):
        store.end(program)
    return store


@pytest.fixture
def book(run, store):
    """Call `fleet book`; returns exit code, standard output and standard error."""
    return lambda *words: run(store.environment, "book", *words)


def messages(store, symbol):
    """Return a book's messages in their order, as (venue's time in us or None, kind, depth, (bids, asks))."""
    rows = store.sql(
        "SELECT toUnixTimestamp64Micro(event_time), kind, depth, bid_prices, bid_sizes, ask_prices, ask_sizes "
        f"FROM book_updates WHERE venue = 'binance' AND symbol = '{symbol}' ORDER BY offset"
    )
    return [
        (at_us, kind, depth, (list(zip(bp, bs, strict=True)), list(zip(ap, az, strict=True))))
        for at_us, kind, depth, bp, bs, ap, az in rows
    ]


def rebuilt(told, at_us):
    """Apply every message up to an instant to two dictionaries; a snapshot without a time begins the session."""
    sides, ends = ({}, {}), [None, None]
    for event_us, kind, depth, changed in told:
        if event_us is not None and event_us > at_us:
            continue
        if kind == "snapshot":
            sides = ({}, {})
            ends = [levels[-1][0] if depth and len(levels) >= depth else None for levels in changed]
        for side, levels in zip(sides, changed, strict=True):
            side |= dict(levels)
    bids, asks = ({price: size for price, size in side.items() if size} for side in sides)
    return (
        [(price, bids[price]) for price in sorted(bids, reverse=True) if ends[0] is None or price >= ends[0]],
        [(price, asks[price]) for price in sorted(asks) if ends[1] is None or price <= ends[1]],
    )


def iso(at_us):
    return f"{datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at_us):%Y-%m-%dT%H:%M:%S.%f}"


def shown(levels):
    return [(Decimal(level["price"]), Decimal(level["size"])) for level in levels]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_book_rebuilt_at_any_instant_is_the_book_that_every_message_up_to_it_makes(replayed, book, symbol):
    told = messages(replayed, symbol)
    times = [event_us for event_us, *_ in told if event_us is not None]
    instants = [times[0], times[len(times) // 3] - 1, times[len(times) // 2], times[-1] + 1]

    for at_us in instants:
        code, out, _ = book("binance", symbol, "--at", iso(at_us), "--depth", "5000", "--json")
        found = json.loads(out)

        assert (0, True, "book_updates") == (code, found["known"], found["source"])
        assert rebuilt(told, at_us) == (shown(found["bids"]), shown(found["asks"]))


def test_before_the_first_message_the_book_is_not_known(replayed, book):
    first = min(event_us for event_us, *_ in messages(replayed, "BTCAUD") if event_us is not None)

    code, out, err = book("binance", "BTCAUD", "--at", iso(first - 1))

    assert (1, "") == (code, out)
    assert "nothing of it is stored at or before that time" in err


def test_without_a_time_one_frame_is_shown_when_it_is_no_terminal(replayed, book):
    replayed.command("TRUNCATE TABLE feed_events")  # the session is over: its connection is closed
    code, out, _ = book("binance", "BTCAUD", "--depth", "3")

    bids, asks = rebuilt(messages(replayed, "BTCAUD"), 2**62)
    assert 0 == code
    lines = out.splitlines()
    assert f"{bids[0][0].normalize():f}" in lines[2]
    assert f"{asks[0][0].normalize():f}" in lines[2]
    assert "book_updates, whole at" in out
    assert 2 + 3 + 3 == len(lines)


def stamp(seconds):
    return f"{START + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.%f}"


def put_updates(store, symbol, *told, venue="okx", shard=0):
    """Each message is (offset, seconds, kind, bids, asks, sequence or None)."""
    rows = ", ".join(
        f"('{venue}', '{symbol}', '{stamp(at_s)}', '{stamp(at_s)}', '{kind}', {sequence or 'NULL'}, "
        f"{numbers(bids, 0)}, {numbers(bids, 1)}, {numbers(asks, 0)}, {numbers(asks, 1)}, {shard}, {offset})"
        for offset, at_s, kind, bids, asks, sequence in told
    )
    store.command(
        "INSERT INTO book_updates (venue, symbol, event_time, received_time, kind, last_sequence, bid_prices, "
        f"bid_sizes, ask_prices, ask_sizes, shard, offset) VALUES {rows}"
    )


def numbers(levels, which):
    return "[" + ", ".join(f"toDecimal128('{level[which]}', 18)" for level in levels) + "]"


def put_event(store, told, times, *, venue="okx", detail=""):
    """Told is (kind, symbol, channel); times are (from, to, received) in seconds."""
    words = ", ".join(f"'{word}'" for word in (venue, *told, *map(stamp, times), detail))
    store.command(
        "INSERT INTO feed_events (venue, kind, symbol, channel, from_time, to_time, received_time, detail, expected, "
        f"shard, offset) VALUES ({words}, '11', 0, 0)"
    )


def at(book, symbol, seconds, venue="okx"):
    """Return the best bid then, or from when to when what is missing."""
    code, out, _ = book(venue, symbol, "--at", (START + timedelta(seconds=seconds)).isoformat(), "--json")
    found = json.loads(out)
    assert (0 if found["known"] else 1) == code
    return found["bids"][0]["price"] if found["known"] else (found["gap"]["from"][17:], found["gap"]["to"][17:])


def test_a_book_is_not_known_from_the_gap_on_until_it_came_whole_again(store, book):
    put_updates(
        store,
        "GAP",
        (10, 0, "snapshot", [("100", 1)], [("101", 1)], 10),
        (11, 1, "delta", [("99", 1)], [], 11),
        (12, 5, "snapshot", [("90", 1)], [("91", 1)], 20),
    )
    put_event(store, ("gap", "GAP", "books"), (2, 4, 4))

    assert ["100", "100", ("02Z", "04Z"), ("02Z", "04Z"), "90"] == [
        at(book, "GAP", seconds) for seconds in (0, 1.9, 2, 4.9, 5)
    ]


def test_a_gap_is_told_in_words_with_its_interval_and_no_ladder(store, book):
    put_updates(store, "WORDS", (20, 0, "snapshot", [("100", 1)], [("101", 1)], 10))
    put_event(store, ("gap", "WORDS", "books"), (2, 4, 4), detail="3 lost")

    code, out, err = book("okx", "WORDS", "--at", "2026-01-01T00:00:03")

    assert (1, "") == (code, out)
    assert (
        "fleet: okx WORDS: the book is not known then: something is missing since then (2026-01-01T00:00:00Z); "
        "gap of okx books from 2026-01-01T00:00:02Z to 2026-01-01T00:00:04Z, 3 lost, expected 11\n"
    ) == err


def test_gaps_of_trades_and_of_other_books_do_not_matter(store, book):
    put_updates(store, "CALM", (30, 0, "snapshot", [("100", 1)], [("101", 1)], 10))
    put_event(store, ("gap", "CALM", "trades"), (1, 2, 2))
    put_event(store, ("gap", "CALM", "books-full"), (1, 2, 2))
    put_event(store, ("gap", "OTHER", "books"), (1, 2, 2))

    assert "100" == at(book, "CALM", 3)


@pytest.mark.parametrize(("sequence", "known"), [(11, "100"), (None, ("01Z", "02Z"))])
def test_after_a_lost_connection_a_numbered_book_is_known_once_it_goes_on(store, book, sequence, known):
    symbol = f"CUT{sequence}"
    put_updates(
        store,
        symbol,
        (40, 0, "snapshot", [("100", 1)], [("101", 1)], sequence and 10),
        (41, 3, "delta", [("99", 1)], [], sequence),
        venue=f"v{sequence}",
    )
    put_event(store, ("disconnected", "", "connection"), (1, 2, 2), venue=f"v{sequence}")

    assert ["100", ("01Z", "02Z"), known] == [at(book, symbol, seconds, f"v{sequence}") for seconds in (0.5, 2.5, 3)]


def test_records_that_were_lost_behind_the_wire_leave_the_book_unknown(store, book):
    put_updates(store, "LOST", (50, 0, "snapshot", [("100", 1)], [("101", 1)], 10), shard=2)
    detail = "stream:{books:2}: 5 running numbers from 51 to 56 (exclusive) hold no record"
    put_event(store, ("gap", "", "books"), (1, 2, 2), venue="tickfleet", detail=detail)
    put_updates(store, "KEPT", (57, 0, "snapshot", [("100", 1)], [("101", 1)], 10), shard=3)

    assert [("01Z", "02Z"), "100"] == [at(book, "LOST", 3), at(book, "KEPT", 3)]


def test_levels_behind_a_limited_snapshot_are_not_shown(store, book):
    put_updates(
        store,
        "SHORT",
        (60, 0, "snapshot", [("100", 1), ("99", 1)], [("101", 1)], 10),
        (61, 1, "delta", [("98", 1), ("99.5", 2)], [("102", 1)], 11),
    )
    store.command("ALTER TABLE book_updates UPDATE depth = 2 WHERE symbol = 'SHORT' SETTINGS mutations_sync = 1")

    _, out, _ = book("okx", "SHORT", "--at", "2026-01-01T00:00:02", "--json")

    found = json.loads(out)
    assert ["100", "99.5", "99"] == [level["price"] for level in found["bids"]]
    assert ["101", "102"] == [level["price"] for level in found["asks"]]


def test_where_no_changes_are_stored_the_last_whole_book_is_shown(store, book):
    store.command(
        "INSERT INTO book_snapshots (venue, symbol, event_time, received_time, depth, bid_prices, bid_sizes, "
        "ask_prices, ask_sizes, source, shard, offset) VALUES "
        f"('upstox', 'TCS', '{stamp(0)}', '{stamp(0)}', 5, [100], [1], [101], [2], 'partial', 0, 0)"
    )

    code, out, _ = book("upstox", "TCS", "--at", "2026-01-01T00:00:02", "--json")

    found = json.loads(out)
    assert (0, "partial", "2026-01-01T00:00:00Z", 100.5) == (code, found["source"], found["last_message"], found["mid"])


@pytest.mark.parametrize("words", [("okx", "X", "--at", "yesterday"), ("okx",), ("okx", "X", "--depth", "0")])
def test_a_slip_of_the_pen_exits_2(book, words):
    assert 2 == book(*words)[0]


def test_a_book_that_is_asked_for_again_is_read_on_and_is_the_same_as_one_read_anew(store):
    async def newest(kept):
        found = await kept.at(None)
        return found.messages, found.bids, found.asks

    def anew():
        return BookAt(Store(connect(Settings.from_env(store.environment, store.folder / "none"))), "okx", "LIVE")

    put_updates(store, "LIVE", (70, 0, "snapshot", [("100", 1), ("99", 2)], [("101", 1)], 10))
    kept = anew()
    first = asyncio.run(newest(kept))
    put_updates(store, "LIVE", (71, 1, "delta", [("100", 0), ("98", 3)], [("101", 5)], 11))
    second = asyncio.run(newest(kept))
    put_updates(store, "LIVE", (72, 2, "snapshot", [("90", 1)], [("91", 1)], 12))

    assert (1, [(100, 1), (99, 2)], [(101, 1)]) == first
    assert (2, [(99, 2), (98, 3)], [(101, 5)]) == second
    assert (1, [(90, 1)], [(91, 1)]) == asyncio.run(newest(kept)) == asyncio.run(newest(anew()))


def test_the_command_explains_itself_with_examples(book):
    code, out, _ = book("--help")

    assert 0 == code
    assert "fleet book" in out
    assert "Examples" in out
