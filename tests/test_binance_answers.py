"""Recorded answers of Binance's REST endpoints, through the real ingester: what they hold, and nothing set aside."""

import json

import msgspec
import pytest

from ingesters.venues.binance_pages import ENDPOINTS, bars_of
from simulator.capture import read_capture
from simulator.run import replay
from tests.ingest_kit import events, records, redis_of_module, running, until
from tests.simulator_kit import CAPTURES, needs_captures

__all__ = ["redis_of_module"]

SINGLES = CAPTURES / "binance-rest-singles-2020.jsonl.gz"
KINDS = {"aggTrades": "aggTrade", "trades": "trade", "historicalTrades": "trade"}

pytestmark = needs_captures


def answers(name):
    """Return the recorded bodies of an endpoint."""
    return [event.body() for event in read_capture(SINGLES).events if event.url.partition("?")[0].endswith(f"/{name}")]


@pytest.mark.parametrize("name", KINDS)
def test_every_recorded_page_of_trades_is_read_row_by_row(name):
    for body in answers(name):
        rows = ENDPOINTS[KINDS[name]].decode(body)
        told = [(row.get("id", row.get("a")), row.get("price", row.get("p"))) for row in json.loads(body)]

        assert told == [(row.id, row.price) for row in rows]


def test_every_recorded_page_of_candles_is_read_row_by_row():
    for body in answers("klines"):
        bars = bars_of(body, "BTCUSDT", "1m", received_ns=2**62)
        told = [(row[0] * 10**6, row[1], row[7], row[8], True) for row in json.loads(body)]

        assert told == [(bar.open_ns, bar.open, bar.quote_volume, bar.trades, bar.is_closed) for bar in bars]


@pytest.mark.redis
async def test_single_answers_become_the_trades_that_they_hold(redis_of_module):
    rows = [row for body in answers("aggTrades") for row in msgspec.json.decode(body)]
    expected = sorted({row["a"] for row in rows})
    async with replay([SINGLES]) as simulator:
        environment = simulator.environment
        async with running(redis_of_module, "binance_ingester", environment):
            await until(lambda: ids(redis_of_module) == expected, give_up_s=30, what="trades")

    assert "BTCUSDT@aggTrade" in environment["BINANCE_HISTORY_FROM_ID"]
    assert [] == records(redis_of_module, "dead_letters")
    assert [] == events(redis_of_module, "gap", "schema_change")


def ids(fleet):
    found = sorted(int(t.trade_id) for t in records(fleet, "trades") if t.symbol == "BTCUSDT")
    assert len(found) == len(set(found))
    return found
