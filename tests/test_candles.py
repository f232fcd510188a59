"""Candles of ours beside others: of recordings, and the causes of differences one by one."""

import gzip
import json
import shutil
from collections import Counter, defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.records import Bar, Ticker
from processors.amended import ANEW
from tests.fleet_harness import CAPTURES, ROOT, Fleet, wait_for
from tests.simulator_kit import needs_captures
from tests.test_trade_analytics import put_trades, stamp
from tests.test_upstox_recordings import THIRTEEN, by_symbol, volume_per_minute
from tests.upstox_kit import MINUTE, MS

BTCUSDT = "binance-btcusdt-20240808.jsonl.gz"
SAMPLES = "alpaca-rest-samples-2018-2025.jsonl.gz"
TWO_STOCKS = "alpaca-aig-bac-20131007.jsonl.gz"
DOCUMENT = (ROOT / "docs" / "candles.md").read_text(encoding="utf-8")
COMPARED = "candles_compared(venue = '{}', symbol = '{}', since = '{}', until = '{}')"
NEW_YEAR = ("v", "S", "2026-01-01 00:00:00", "2026-01-02 00:00:00")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database with the schema; each test begins with empty tables."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("candles")) as made:
        made.start_servers()
        yield made


@pytest.fixture
def tables(store):
    for table in ("trades", "trade_corrections", "bars_1s_state", "bars_1m_state", "bar_versions", "feed_events"):
        store.command(f"TRUNCATE TABLE {table}")
    return store


def put_candles(store, *candles, venue="v", symbol="S", is_closed="true"):
    """Put a venue's candles, each (minute as text, open, high, low, close, volume, notional, trades)."""
    rows = ", ".join(
        f"('{venue}', '{symbol}', '1m', '{at}', {', '.join(map(str, numbers))}, {trades}, {is_closed}, '{at}', 0, "
        f"{place})"
        for place, (at, *numbers, _, trades) in enumerate(candles)
    )
    store.command(
        "INSERT INTO bar_versions (venue, symbol, interval, open_time, open, high, low, close, volume, trades, "
        f"is_closed, received_time, shard, offset) VALUES {rows}"
    )


def causes(store):
    return [row[0] for row in store.sql(f"SELECT cause FROM {COMPARED.format(*NEW_YEAR)}")]


def candle(minute, *prices, volume=1, trades=1):
    return (stamp(60 * minute), *prices, volume, 0, trades)


def a_trade_a_minute(store, *prices):
    """Put one trade of size 1 into each minute, with one before and one after them that are the edges."""
    put_trades(store, *((60 * minute + 1, price, 1, "buy") for minute, price in enumerate((1, *prices, 1))))


@pytest.mark.clickhouse
def test_a_correction_of_one_symbol_reads_the_trades_of_no_other(tables):
    put_trades(tables, (1, 10, 1, "buy"), (2, 11, 1, "sell"))
    tables.command(
        "INSERT INTO trades (venue, symbol, trade_id, event_time, received_time, price, size, shard, offset) "
        f"SELECT 'v', concat('T', toString(number % 40)), toString(number), '{stamp(1)}', '{stamp(1)}', 1, 1, 0, "
        "2 + number FROM numbers(400000)"
    )
    tables.command(
        "INSERT INTO trade_corrections (venue, symbol, trade_id, action, event_time, received_time, shard, offset) "
        f"VALUES ('v', 'S', '1', 'cancel', '{stamp(3)}', '{stamp(3)}', 0, 0)"
    )

    asked = {"since": 0, "shard": 0, "stop": 1_000_000, "oldest_ns": 0}
    with tables.clickhouse() as client:
        found = client.query(ANEW, asked, settings={"max_rows_to_read": 100_000})

    names = ("symbol", "interval_s", "high", "trades")
    assert {("S", interval_s, 10, 1) for interval_s in (60, 3600, 86_400)} <= {
        tuple(row[found.column_names.index(name)] for name in names) for row in found.result_rows
    }


@pytest.mark.clickhouse
@pytest.mark.redis
@pytest.mark.parametrize(
    ("told", "cause"),
    [
        (candle(1, 10, 10, 10, 10), "equal"),
        (candle(1, 10, 10, 10, 10, trades="NULL"), "equal"),
        (candle(1, 10, 10, 10, 10, volume=2), "fewer_trades"),
        (candle(1, 10, 10, 10, 10, volume="0.5"), "more_trades"),
        (candle(1, 10, 10, 10, 9), "order"),
        (candle(1, 10, 11, 10, 10), "prices"),
    ],
)
def test_a_whole_minute_that_differs_says_in_what(tables, told, cause):
    a_trade_a_minute(tables, 10)
    put_candles(tables, told)

    assert ["cut", cause, "cut"] == causes(tables)


@pytest.mark.clickhouse
@pytest.mark.redis
def test_a_minute_that_only_one_of_both_has_is_no_zero(tables):
    a_trade_a_minute(tables, 10)
    put_candles(tables, candle(5, 7, 7, 7, 7), candle(6, 7, 7, 7, 7, volume=0, trades=0))

    assert [("cut", None, 1), ("not_told", None, 10), ("cut", None, 1), ("no_trades", 7, None), ("equal", 7, None)] == [
        tuple(row) for row in tables.sql(f"SELECT cause, their_close, our_close FROM {COMPARED.format(*NEW_YEAR)}")
    ]


@pytest.mark.clickhouse
@pytest.mark.redis
def test_a_minute_that_is_touched_by_a_gap_in_trades_is_explained_by_it(tables):
    a_trade_a_minute(tables, 10, 10, 10)
    put_candles(tables, *(candle(minute, 10, 10, 10, 10, volume=2) for minute in (1, 2, 3)))
    tables.command(
        "INSERT INTO feed_events (venue, symbol, channel, kind, from_time, to_time, received_time, shard, offset) "
        f"VALUES ('v', 'S', 'trade', 'gap', '{stamp(119)}', '{stamp(121)}', '{stamp(121)}', 0, 0), "
        f"('v', 'S', 'depth', 'gap', '{stamp(180)}', '{stamp(190)}', '{stamp(190)}', 0, 1)"
    )

    assert ["cut", "gap", "gap", "fewer_trades", "cut"] == causes(tables)


@pytest.mark.clickhouse
@pytest.mark.redis
def test_a_candle_that_the_venue_has_not_closed_is_unfinished(tables):
    a_trade_a_minute(tables, 10)
    put_candles(tables, candle(1, 10, 10, 10, 10, volume="0.1"), is_closed="false")

    assert ["cut", "unfinished", "cut"] == causes(tables)


@pytest.mark.clickhouse
@pytest.mark.redis
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("captures")
def test_candles_of_recorded_trades_are_those_of_another_program(fleet):
    truth = json.loads((CAPTURES / "ground_truth.json").read_text())["files"]
    told = {("binance", "BTCUSDT"): truth[BTCUSDT]["symbols"]["BTCUSDT"]["ohlcv_1m"]}
    told |= {("alpaca", name): facts["ohlcv_1m"] for name, facts in truth[TWO_STOCKS]["symbols"].items()}
    fleet.replay(BTCUSDT, TWO_STOCKS)
    for program in ("clickhouse_writer", "binance_ingester", "alpaca_stocks_ingester"):
        fleet.start_program(program)
    trades = {book: sum(candle[-1] for candle in candles) for book, candles in told.items()}
    wait_for(
        lambda: {
            (venue, symbol): rows
            for venue, symbol, rows in fleet.sql("SELECT venue, symbol, count() FROM trades GROUP BY ALL")
        },
        expected=trades,
        what="trades",
        give_up_s=120,
    )
    for (venue, symbol), candles in told.items():
        put_candles(fleet, *((minute_of(at), *rest) for at, *rest in candles), venue=venue, symbol=symbol)

    for (venue, symbol), candles in told.items():
        view = COMPARED.format(venue, symbol, "2010-01-01 00:00:00", "2025-01-01 00:00:00")
        assert [("equal", len(candles))] == fleet.sql(f"SELECT cause, count() FROM {view} GROUP BY cause")
        assert [Decimal(candle[6]) for candle in candles] == [
            row[0]
            for row in fleet.sql(
                f"SELECT notional FROM bars_1m WHERE venue = '{venue}' AND symbol = '{symbol}' ORDER BY open_time"
            )
        ]
    assert f"all {sum(map(len, told.values()))}\nminutes" in DOCUMENT


def minute_of(at):
    """Return the start of a minute as text; the recordings' figures have milliseconds or ISO 8601."""
    told = datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) else datetime.fromisoformat(at)
    return f"{told:%Y-%m-%d %H:%M:%S}"


@needs_captures
def test_the_last_trade_of_a_snapshot_is_the_close_of_its_minute():
    found = []
    for snapshot in snapshots():
        trade, bar = snapshot.get("latestTrade"), snapshot.get("minuteBar")
        if trade and bar and trade["t"][:16] == bar["t"][:16]:
            found.append((trade["p"] == bar["c"], bar["n"]))

    assert [(True, 9), (True, 278)] == sorted(found)
    assert "two minutes have a candle and one of its trades" in DOCUMENT


def snapshots():
    """Yield the snapshots of a symbol among the recorded answers of Alpaca."""
    for line in gzip.decompress((CAPTURES / SAMPLES).read_bytes()).splitlines()[1:]:
        event = json.loads(line)
        if "/snapshots" in event["url"]:
            told = json.loads(event["payload"])
            yield from filter(None, (told.get("snapshots") or told).values())


@needs_captures
def test_the_vendors_candles_beside_what_the_ticks_say_differ_as_documented():
    found, prices = Counter(), Counter()
    for symbol, bars in by_symbol(THIRTEEN, Bar).items():
        ticks = by_symbol(THIRTEEN, Ticker)[symbol]
        told = {bar.open_ns // MS: bar for bar in bars if bar.interval == "I1"}
        found += volume_causes(
            dict(map(tuple, volume_per_minute(ticks))), {at: int(bar.volume) for at, bar in told.items()}
        )
        prices += price_causes(ticks, told)

    for cause, minutes in found.items():
        assert f"| {minutes:,} | {cause}" in DOCUMENT or f"\n{minutes} minutes more" in DOCUMENT, (cause, minutes)
    assert 0 == prices["further"]
    assert f"Prices of {prices['minutes']:,}\nwhole minutes" in DOCUMENT
    shares = {name: round(100 * prices[name] / prices["minutes"]) for name in ("close", "high", "low", "open")}
    assert "close agrees in {close} %, high in {high} %, low in {low} %, open in {open} %".format(**shares) in DOCUMENT


def volume_causes(ours, theirs):
    """Return how many minutes agree in volume, and why the others do not."""
    found = Counter()
    first = min(ours)
    apart = {at: ours.get(at, 0) - volume for at, volume in theirs.items() if at > first}
    for at, difference in apart.items():
        cancels = -difference in (apart.get(at - 60_000), apart.get(at + 60_000))
        found[
            "equal" if not difference else "the difference is that of a neighbour" if cancels else "other differences"
        ] += 1
    found["before the first tick"] = sum(at < first for at in theirs)
    found["equal" if ours[first] == theirs.get(first) else "the first minute"] += 1
    found["more"] = sum(at not in theirs for at in ours)
    return found


def price_causes(ticks, told):
    """Return in how many minutes last prices of ticks make the vendor's candle, and in how many they lie outside."""
    minutes = defaultdict(list)
    for tick in ticks:
        minutes[tick.last_trade_ns // MINUTE * MINUTE // MS].append(Decimal(tick.last_price))
    found = Counter()
    for at in sorted(minutes)[1:]:
        if at in told:
            bar, seen = told[at], minutes[at]
            found["minutes"] += 1
            for name, price in (("open", seen[0]), ("close", seen[-1]), ("high", max(seen)), ("low", min(seen))):
                found[name] += price == Decimal(getattr(bar, name))
            found["further"] += max(seen) > Decimal(bar.high) or min(seen) < Decimal(bar.low)
    return found
