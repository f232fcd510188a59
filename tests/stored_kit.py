"""Servers with known contents, for those who test the pages that ask ClickHouse."""

import hashlib
import shutil
from contextlib import contextmanager

import pytest
import requests

from tests.fleet_harness import Fleet

HOSTILE = "<script>alert(1)</script>"
LETTER = '{"price":"<b>1</b>"}'


@contextmanager
def stored_fleet(folder):
    """Run a Redis and a ClickHouse with known contents."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(folder) as fleet:
        fleet.start_servers()
        fill(fleet)
        yield fleet


def servers_of(fleet):
    """Return the settings of a dashboard that is to ask its ClickHouse."""
    return {name: fleet.environment[name] for name in ("CLICKHOUSE_HOST", "CLICKHOUSE_PORT")}


def fill(fleet):
    """Let servers hold trades, a book, quotes, events and dead letters that are known."""
    now = "now64(9)"
    fleet.command(
        "INSERT INTO trades (venue, symbol, trade_id, event_time, received_time, price, size, notional, taker_side, "
        f"source, shard, offset) SELECT 'binance', 'BTCUSDT', toString(number), {now} - 60 + number, "
        f"{now} - 60 + number + toIntervalMillisecond(20), 100 + number, 2, 200, if(number % 2, 'buy', 'sell'), "
        "if(number < 3, 'backfill', 'live'), 0, number FROM numbers(50)"
    )
    for symbol in ("BTC/USD", HOSTILE):
        fleet.command(
            "INSERT INTO quotes (venue, symbol, received_time, event_time, bid_price, bid_size, ask_price, ask_size, "
            f"shard, offset) SELECT 'alpaca', '{symbol}', {now}, {now}, 99.5, 3, 100.5, 4, 0, {len(symbol)}"
        )
    fleet.command(
        "INSERT INTO book_stats (venue, symbol, event_time, received_time, source, best_bid, best_ask, mid, spread, "
        f"spread_bps, imbalance_5, is_crossed, levels, bid_levels, ask_levels, shard, offset) SELECT 'binance', "
        f"'BTCUSDT', {now} - number, {now} - number, 'maintained', 148.5, 149.5, 149, 1, 67.11, 0.25, false, 4, 2, 2, "
        "0, number FROM numbers(20)"
    )
    fleet.command(
        "INSERT INTO book_snapshots (venue, symbol, event_time, received_time, depth, bid_prices, bid_sizes, "
        f"ask_prices, ask_sizes, source, shard, offset) SELECT 'binance', 'BTCUSDT', {now}, {now}, 20, "
        "[148.5, 148], [1, 2.5], [149.5, 150], [4, 1], 'maintained', 0, 0"
    )
    for number, (kind, ago_s) in enumerate((("gap", 40), ("resync", 30), ("gap", 10))):
        fleet.command(
            "INSERT INTO feed_events (venue, symbol, channel, kind, from_time, to_time, expected, found, detail, "
            f"received_time, shard, offset) SELECT 'binance', 'BTCUSDT', 'depth', '{kind}', {now} - {ago_s}, "
            f"{now} - {ago_s}, '7', '9', '{HOSTILE}', {now} - {ago_s}, 0, {number}"
        )
    for number, (stream, program) in enumerate(
        (("stream:trades", "clickhouse_writer"), ("stream:trades", "clickhouse_writer"), ("", "binance_ingester"))
    ):
        fleet.command(
            "INSERT INTO dead_letters (id, venue, symbol, received_time, stream, program, reason, attempts, payload, "
            f"encoding, shard, offset) SELECT '{letter_id(number)}', 'binance', 'BTCUSDT', {now} - {number}, "
            f"'{stream}', '{program}', 'price: expected a number at byte {number}', 1, '{LETTER}', 'text', 0, {number}"
        )
    redis = fleet.redis
    redis.hset("topics", mapping={"trades": "1"})
    redis.xgroup_create("stream:trades", "clickhouse_writer", id="0", mkstream=True)
    redis.hset("shard:{stream:trades}", "offset", "60")
    redis.hset("group:{stream:trades}:clickhouse_writer", mapping={"position": "52", "last_id": "0-0", "epoch": "1"})


def letter_id(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def get(url, **query):
    """Return what an address answers as JSON."""
    answer = requests.get(url, params=query, timeout=15)
    assert answer.status_code == 200, answer.text[:500]
    return answer.json()
