"""A crowded fleet, laid out at once: ten thousand symbols, a million entries, a hundred thousand of them in hand."""

import threading
import time

from benchmarks.house import House

SYMBOLS, ENTRIES, PENDING = 10_000, 1_000_000, 100_000
TRADES_EACH, BURST = 30, 2_000
KEY, GROUP = "stream:trades", "clickhouse_writer"
APPEND = """
for number = tonumber(ARGV[1]), tonumber(ARGV[2]) - 1 do
    local symbol = string.format('S%05d', number % tonumber(ARGV[3]))
    local data = '{"venue":"binance","symbol":"' .. symbol .. '","trade_id":"' .. number ..
        '","event_ns":1767225600000000000,"received_ns":1767225600000000000,"price":"100.5","size":"0.25",' ..
        '"taker_side":"buy"}'
    redis.call('XADD', KEYS[1], '*', 'o', number, 'n', 1, 'data', data)
end
"""
TAKE = "redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[1], 'COUNT', ARGV[2], 'STREAMS', KEYS[1], '>')"
NAME = "concat('S', leftPad(toString(number % {symbols}), 5, '0'))"
TRADES = (
    "INSERT INTO trades (venue, symbol, trade_id, event_time, received_time, price, size, notional, taker_side, "
    "source, shard, offset) SELECT 'binance', {name}, toString(number), {time} AS at, at + toIntervalMillisecond(20), "
    "100 + number % 50, 2, 200, 'buy', 'live', 0, {first} + number FROM numbers({count})"
)
QUOTES = (
    "INSERT INTO quotes (venue, symbol, received_time, event_time, bid_price, bid_size, ask_price, ask_size, shard, "
    "offset) SELECT 'binance', {name}, now64(9), now64(9), 99.5, 3, 100.5, 4, 0, number FROM numbers({symbols})"
)
BOOKS = (
    "INSERT INTO book_stats (venue, symbol, event_time, received_time, source, best_bid, best_ask, mid, spread, "
    "spread_bps, imbalance_5, is_crossed, levels, bid_levels, ask_levels, shard, offset) SELECT 'binance', {name}, "
    "now64(9) - number % 600, now64(9), 'maintained', 99.5, 100.5, 100, 1, 100, 0.25, false, 4, 2, 2, 0, number "
    "FROM numbers({symbols} * 5)"
)
EVENTS = (
    "INSERT INTO feed_events (venue, symbol, channel, kind, from_time, to_time, expected, found, detail, "
    "received_time, shard, offset) SELECT 'binance', {name}, 'depth', if(number % 2, 'resync', 'gap'), "
    "now64(9) - number, now64(9) - number, '7', '9', '', now64(9) - number, 0, number FROM numbers(3000)"
)


def fill(house: House) -> None:
    """Lay it all out."""
    redis = house.redis
    redis.hset("topics", mapping={"trades": "1"})
    redis.xgroup_create(KEY, GROUP, id="0", mkstream=True)
    append = redis.register_script(APPEND)
    for first in range(0, ENTRIES, 50_000):
        append(keys=[KEY], args=[first, first + 50_000, SYMBOLS])
    redis.eval(TAKE, 1, KEY, GROUP, PENDING)
    redis.hset(f"shard:{{{KEY}}}", "offset", str(ENTRIES))
    redis.hset(f"group:{{{KEY}}}:{GROUP}", mapping={"position": "0", "last_id": "0-0", "epoch": "1", "owner": GROUP})
    name = NAME.format(symbols=SYMBOLS)
    count = SYMBOLS * TRADES_EACH
    lately = f"now64(9) - {TRADES_EACH * 60} + number / {count} * 1700"
    house.command(TRADES.format(name=name, time=lately, first=0, count=count))
    for statement in (QUOTES, BOOKS, EVENTS):
        house.command(statement.format(name=name, symbols=SYMBOLS))


class Rush:
    """Goes on appending and storing, so that every page has something new and ClickHouse something to do."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        append, number = self._house.redis.register_script(APPEND), ENTRIES
        name = NAME.format(symbols=SYMBOLS)
        while not self._stop.is_set():
            begun_s = time.monotonic()
            append(keys=[KEY], args=[number, number + BURST, SYMBOLS])
            self._house.redis.hset(f"shard:{{{KEY}}}", "offset", str(number + BURST))
            self._house.command(TRADES.format(name=name, time="now64(9)", first=number, count=BURST))
            number += BURST
            self._stop.wait(max(0.0, 1.0 - (time.monotonic() - begun_s)))
