"""The bar processor as a program: killed on the way, and told of corrections by the tables."""

import msgspec
import pytest

from common.records import TradeCorrection
from common.redis_streams import Shard
from common.streams import CANDLES, TRADE_CORRECTIONS, TRADES
from processors.candles import Candles
from processors.frames import schema_of
from tests.book_kit import NOTHING
from tests.candle_kit import SECOND_NS, newest, random_trades, turned
from tests.fleet_harness import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]

NAMES = "venue, symbol, interval, toUnixTimestamp(open_time) * 1000000000"
VALUES = "open, high, low, close, volume, notional, buy_volume, sell_volume, trades"


def append(fleet, stream, records, *, an_entry=40):
    """Append as an ingester does: numbered behind what is there."""
    shard = Shard(stream, 0, 1)
    for at in range(0, len(records), an_entry):
        part = [msgspec.json.encode(record) for record in records[at : at + an_entry]]
        offset = int(fleet.redis.hget(shard.facts, "offset") or 0)
        with fleet.redis.pipeline() as pipe:
            pipe.xadd(shard.key, {"o": offset, "n": len(part), "data": b"\n".join(part)})
            pipe.hset(shard.facts, "offset", offset + len(part))
            pipe.execute()


def position(fleet, group, stream=TRADES):
    return int(fleet.redis.hget(Shard(stream, 0, 1).group(group), "position") or 0)


def appended(fleet):
    return int(fleet.redis.hget(Shard(TRADES, 0, 1).facts, "offset"))


def lines(fleet):
    found = fleet.redis.xrange(CANDLES.key(0, 1))
    return [line.encode() for _, fields in found for line in fields["data"].splitlines()]


def viewed(fleet):
    """Return the candles of all four views."""
    every = " UNION ALL ".join(f"SELECT {NAMES}, {VALUES} FROM bars_{name}" for name in ("1s", "1m", "1h", "1d"))
    return {tuple(row[:4]): tuple(row[4:]) for row in fleet.sql(every)}


def test_killed_and_handed_over_it_tells_what_it_would_have_told_to_the_byte(fleet):
    trades = random_trades(900, seed=4)
    fleet.start_program("clickhouse_writer")
    for number in range(3):
        append(fleet, TRADES, trades[300 * number : 300 * number + 300])
        fleet.start_program("bar_processor")
        wait_for(lambda stop=300 * number + 300: position(fleet, "bar_processor") >= stop - 120, what="position")
        if number < 2:
            (fleet.kill, fleet.end)[number]("bar_processor")
    wait_for(lambda: position(fleet, "bar_processor"), expected=900, what="position")
    fleet.end("bar_processor")

    state, found = Candles(), lines(fleet)
    wanted = turned(state, trades)
    least = len(wanted)
    wanted += state.rest(10**6 * SECOND_NS, NOTHING).rows.to_dicts()  # a slow machine has been silent by then
    assert least <= len(found)
    assert wanted[: len(found)] == [row | msgspec.json.decode(line) for row, line in zip(wanted, found, strict=False)]
    assert {*schema_of(CANDLES.record)} == {*wanted[0]}


def test_in_a_silence_the_last_word_on_a_candle_is_what_its_view_says_also_of_corrections(fleet):
    trades = random_trades(400, seed=5, spread_s=0.1)
    fleet.start_program("clickhouse_writer")
    fleet.start_program("bar_processor")
    append(fleet, TRADES, trades)
    changed, gone, taken_back = trades[100], trades[-1], trades[-2]
    told = {"event_ns": gone.event_ns, "new_price": "123.456"}
    corrections = [
        TradeCorrection("v", changed.symbol, 1, trade_id=changed.trade_id, action="correct", **told),
        TradeCorrection("v", gone.symbol, 1, trade_id=gone.trade_id, action="cancel", event_ns=gone.event_ns),
        TradeCorrection("v", taken_back.symbol, 1, trade_id=taken_back.trade_id, action="removed", event_ns=1),
    ]
    append(fleet, TRADE_CORRECTIONS, corrections[:1])
    wait_for(lambda: position(fleet, "bar_processor"), expected=400, what="position")
    fleet.kill("bar_processor")
    append(fleet, TRADES, [msgspec.structs.replace(taken_back, source="removed")])
    append(fleet, TRADE_CORRECTIONS, corrections[1:])
    wait_for(lambda: position(fleet, "clickhouse_writer", TRADE_CORRECTIONS), expected=3, what="corrections")
    fleet.restart("bar_processor")

    def differing():
        """Return the candles that are not as their views say; what the views say, if that is too little."""
        if position(fleet, "bar_processor") < appended(fleet):
            return "what was appended is not turned yet"
        told, views = newest([msgspec.json.decode(line) for line in lines(fleet)]), viewed(fleet)
        return {
            key: (told.get(key), candle) for key, candle in views.items() if told.get(key) != candle or len(views) < 20
        }

    wait_for(differing, expected={}, what="candles, of which no further trade tells", give_up_s=150)
    assert len({*lines(fleet)}) == len(lines(fleet))
