"""Candles and trade analytics against cases worked by hand."""

import math
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.fleet_harness import Fleet

pytestmark = [pytest.mark.clickhouse, pytest.mark.redis]

START = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = "venue = 'v', symbol = 'S', since = '2026-01-01 00:00:00', until = '2026-01-02 00:00:00'"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database with the schema; each test begins with empty tables."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("analytics")) as made:
        made.start_servers()
        yield made


@pytest.fixture
def tables(store):
    for table in ("trades", "trade_corrections", "quotes", "book_stats", "bars_1s_state", "bars_1m_state"):
        store.command(f"TRUNCATE TABLE {table}")
    return store


def stamp(seconds):
    return f"{START + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.%f}"


def put_trades(store, *trades, first=0):
    """Each trade is (seconds, price, size, side), numbered in the order given."""
    rows = ", ".join(
        f"('v', 'S', '{number}', '{stamp(at_s)}', '{stamp(at_s)}', {price}, {size}, "
        f"{Decimal(str(price)) * Decimal(str(size))}, '{side}', 'live', 0, {number})"
        for number, (at_s, price, size, side) in enumerate(trades, first)
    )
    columns = (
        "venue, symbol, trade_id, event_time, received_time, price, size, notional, taker_side, source, shard, offset"
    )
    store.command(f"INSERT INTO trades ({columns}) VALUES {rows}")


def put_quotes(store, *quotes):
    rows = ", ".join(
        f"('v', 'S', '{stamp(at_s)}', {bid}, 1, {ask}, 1, 0, {number})"
        for number, (at_s, bid, ask) in enumerate(quotes)
    )
    columns = "venue, symbol, received_time, bid_price, bid_size, ask_price, ask_size, shard, offset"
    store.command(f"INSERT INTO quotes ({columns}) VALUES {rows}")


def put_books(store, *books):
    """Each book is (seconds, depth of asks, spread), with 2 at its best prices; a fourth NULL: behind a gap."""
    rows = ", ".join(
        f"('v', 'S', '{stamp(at_s)}', '{stamp(at_s)}', 'maintained', 2, 2, 9, {depth}, {spread}, {flow}, 0, {number})"
        for number, (at_s, depth, spread, flow) in enumerate((*book, 0)[:4] for book in books)
    )
    columns = (
        "venue, symbol, event_time, received_time, source, best_bid_size, best_ask_size, bid_depth_10bps, "
        "ask_depth_10bps, spread_bps, ofi_1, shard, offset"
    )
    store.command(f"INSERT INTO book_stats ({columns}) VALUES {rows}")


def recoveries(store, columns, measure="depth"):
    return store.sql(
        f"SELECT {columns} FROM trade_resilience({ASKED}, bps = 10) WHERE measure = '{measure}' ORDER BY event_time"
    )


def test_a_trade_that_took_the_best_price_is_followed_until_what_it_took_is_back(tables):
    put_books(tables, (1, 10, 2), (1.1, 8, 3), (1.3, 4, 6), (1.9, 5, 4), (3, 8, 4), (8, 10, 2), (61.5, 13, 1))
    put_trades(tables, (1.05, 100, 1, "buy"), (1.05, 101, 1, "buy"), (1.06, 101, 1, "buy"), (1.06, 99, 1, "sell"))
    told = (
        "direction, price, size, best_size, before, after, resilience_1s, resilience_10s, resilience_60s, half_life_s"
    )

    assert [(1, 100.5, 2, 2, 10, 4, pytest.approx(1 / 6), 1, 1, pytest.approx(1.7))] == recoveries(tables, told)
    assert [(1, 100.5, 2, 2, 2, 6, 0.5, 1, 1, pytest.approx(0.6))] == recoveries(tables, told, "spread")


def test_what_a_book_cannot_tell_of_a_recovery_is_null(tables):
    put_books(
        tables, (1, 10, 2), (1.1, 4, 2), (2.2, 4, 2), (5, 10, 2, "NULL"), (100, 9, 2), (100.2, "NULL", 2), (102, 9, 2)
    )
    put_trades(tables, (1.05, 100, 2, "buy"), (50, 100, 2, "buy"), (100.1, 100, 2, "buy"), (100.1, 100, 2, "sell"))
    told = "direction, before, after, resilience_1s, resilience_10s, half_life_s"

    assert [(1, 10, 4, 0, None, None), (-1, 9, 9, None, None, None), (1, 9, None, None, None, None)] == recoveries(
        tables, told
    )
    assert [(2, 2, None)] * 3 == recoveries(tables, "before, after, resilience_1s", "spread")


def correct(store, trade_id, action, price="NULL", size="NULL", offset=0):
    columns = "venue, symbol, trade_id, action, event_time, received_time, new_price, new_size, shard, offset"
    store.command(
        f"INSERT INTO trade_corrections ({columns}) VALUES "
        f"('v', 'S', '{trade_id}', '{action}', '{stamp(99)}', '{stamp(99)}', {price}, {size}, 0, {offset})"
    )


def bars(store, view):
    rows = store.sql(f"SELECT open, high, low, close, volume, buy_volume, trades FROM {view} ORDER BY open_time")
    return [tuple(float(value) for value in row) for row in rows]


def test_open_and_close_go_by_the_venues_time_even_when_a_trade_comes_late(tables):
    put_trades(tables, (0.5, 10, 1, "buy"), (0.9, 12, 2, "sell"))
    put_trades(tables, (0.1, 9, 1, "buy"), (1.1, 11, 1, "buy"))

    assert [(9, 12, 9, 12, 4, 2, 3), (11, 11, 11, 11, 1, 1, 1)] == bars(tables, "bars_1s")
    assert [(9, 12, 9, 11, 5, 3, 4)] == bars(tables, "bars_1m")


def test_a_cancelled_trade_leaves_every_candle_and_a_corrected_one_counts_as_it_was(tables):
    put_trades(tables, (0.1, 10, 1, "buy"), (0.5, 12, 2, "sell"), (60.5, 11, 2, "sell"), (3600, 20, 1, "buy"))
    correct(tables, "0", "cancel")
    correct(tables, "2", "correct", 11.5, 4)

    assert [(12, 12, 12, 12, 2, 0, 1), (11.5, 11.5, 11.5, 11.5, 4, 0, 1), (20, 20, 20, 20, 1, 1, 1)] == bars(
        tables, "bars_1m"
    )
    assert [(12, 12, 11.5, 11.5, 6, 0, 2), (20, 20, 20, 20, 1, 1, 1)] == bars(tables, "bars_1h")
    assert [(12, 20, 11.5, 20, 7, 1, 3)] == bars(tables, "bars_1d")


def test_the_last_word_on_a_trade_counts(tables):
    put_trades(tables, (0.1, 10, 1, "buy"))
    correct(tables, "0", "correct", 11, 1, offset=0)
    correct(tables, "0", "correct", 12, 3, offset=1)

    assert [(12, 12, 12, 12, 3, 3, 1)] == bars(tables, "bars_1s")


@pytest.mark.parametrize("view", ["bars_1s", "bars_1m", "bars_1h", "bars_1d"])
def test_candles_rebuilt_from_the_whole_history_are_the_same(tables, view):
    put_trades(tables, *((number * 7.3 % 9000, 100 + number * 31 % 17, 1 + number % 5, "buy") for number in range(300)))
    put_trades(
        tables,
        *((number * 3.1 % 9000, 90 + number * 13 % 29, 1 + number % 3, "sell") for number in range(300)),
        first=300,
    )
    correct(tables, "17", "cancel")
    kept = bars(tables, view)
    tables.command("TRUNCATE TABLE bars_1s_state")
    tables.command("TRUNCATE TABLE bars_1m_state")
    tables.command("CREATE TABLE again AS trades")
    tables.command("INSERT INTO again SELECT * FROM trades")
    tables.command("TRUNCATE TABLE trades")
    tables.command("INSERT INTO trades SELECT * FROM again ORDER BY rand()")
    tables.command("DROP TABLE again")

    assert kept == bars(tables, view)


def test_effective_spread_is_realised_spread_and_impact(tables):
    put_quotes(tables, (0, 99, 101), (5, 100, 102), (100, 103, 105))
    put_trades(tables, (1, 101, 1, "buy"), (2, 99.5, 1, "sell"))

    found = tables.sql(
        "SELECT effective_spread_bps, realised_spread_10s_bps, impact_10s_bps, realised_spread_1s_bps "
        f"FROM trade_costs({ASKED})"
    )

    assert [pytest.approx((200, 0, 200, 200)), pytest.approx((100, 300, -200, 100))] == found


def test_what_is_not_known_of_a_trade_is_null_and_not_zero(tables):
    put_quotes(tables, (10, 99, 101), (15, 99, 101))
    put_trades(tables, (1, 100, 1, "buy"), (11, 101, 1, "buy"), (12, 100, 1, "unknown"))

    found = tables.sql(
        f"SELECT trade_id, effective_spread_bps, realised_spread_1s_bps, realised_spread_60s_bps "
        f"FROM trade_costs({ASKED})"
    )

    assert [("0", None), ("1", pytest.approx(200.0))] == [row[:2] for row in found]
    assert (pytest.approx(200.0), None) == found[1][2:]


def test_realised_variance_and_its_jumps(tables):
    put_trades(tables, (0, 100, 1, "buy"), (60, 110, 1, "buy"), (120, 99, 1, "buy"), (180, 99, 1, "buy"))
    r = [math.log(1.1), math.log(0.9), 0.0]
    bipower = math.pi / 2 * (abs(r[1] * r[0]) + abs(r[2] * r[1]))
    variance = sum(x * x for x in r)

    ((_, returns, found, bipower_found, jump),) = tables.sql(f"SELECT * FROM realised_variance({ASKED})")

    assert (3, pytest.approx(variance), pytest.approx(bipower)) == (returns, found, bipower_found)
    assert pytest.approx(max(variance - bipower, 0)) == jump


def test_volume_delta_adds_up(tables):
    put_trades(tables, (0, 100, 3, "buy"), (0.5, 100, 1, "sell"), (1, 100, 5, "sell"))

    assert [(2, 2), (-5, -3)] == tables.sql(
        f"SELECT toInt32(delta), toInt32(cumulative_delta) FROM volume_delta({ASKED})"
    )


def test_trade_imbalance_looks_back_over_seconds_and_not_over_rows(tables):
    put_trades(
        tables, (0, 1, 3, "buy"), (0.5, 1, 1, "sell"), (9, 1, 4, "sell"), (10, 1, 2, "buy"), (70, 1, 5, "unknown")
    )

    found = tables.sql(f"SELECT imbalance, imbalance_10s, imbalance_60s FROM trade_imbalance({ASKED})")

    half, third = pytest.approx(0.5), pytest.approx(-1 / 3)
    assert [(half, half, half), (-1, pytest.approx(-2 / 8), pytest.approx(-2 / 8))] == found[:2]
    assert [(1, third, 0), (None, None, None)] == found[2:]


def test_vpin_shares_a_large_trade_out_and_waits_for_enough_whole_buckets(tables):
    # Buckets of 10: [6 buy, 4 sell], [10 sell], [5 sell, 5 buy], and 2 that fill none.
    put_trades(tables, (0, 1, 6, "buy"), (1, 1, 19, "sell"), (2, 1, 7, "buy"))

    found = tables.sql(f"SELECT bucket, imbalance, vpin FROM vpin({ASKED}, bucket_volume = 10, buckets = 2)")

    assert [(0, pytest.approx(0.2), None), (1, pytest.approx(1.0), pytest.approx(0.6))] == found[:2]
    assert [(2, pytest.approx(0.0), pytest.approx(0.5))] == found[2:]


def test_price_impact_of_volume(tables):
    # Each signed unit moves the price by 2.
    put_trades(
        tables,
        (0, 100, 1, "buy"),
        (60, 106, 3, "buy"),
        (120, 102, 2, "sell"),
        (180, 104, 1, "buy"),
        (240, 98, 3, "sell"),
    )
    closes, sizes = [100, 106, 102, 104, 98], [1, 3, 2, 1, 3]
    amihud = [abs(math.log(b / a)) / (b * size) for a, b, size in zip(closes, closes[1:], sizes[1:], strict=False)]

    ((minutes, kyle, found, roll),) = tables.sql(
        f"SELECT minutes, kyle_lambda, amihud_illiquidity, roll_spread FROM price_impact({ASKED})"
    )

    changes = [6, -4, 2, -6]
    pairs = list(zip(changes[1:], changes, strict=False))
    means = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    covariance = sum((a - means[0]) * (b - means[1]) for a, b in pairs) / len(pairs)
    assert (4, pytest.approx(2.0), pytest.approx(sum(amihud) / 4)) == (minutes, kyle, found)
    assert pytest.approx(2 * math.sqrt(-covariance)) == roll
