"""A trade whose market is not known yet stands at once, and gets its market as soon as it is."""

import msgspec
import pytest

from common.records import Market, OrderEvent
from common.redis_streams import Shard
from common.streams import MARKETS, ORDER_EVENTS
from tests.fleet_harness import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(120)]


def append(fleet, shard, *records):
    offset = int(fleet.redis.hget(shard.facts, "offset") or 0)
    with fleet.redis.pipeline() as pipe:
        lines = b"\n".join(msgspec.json.encode(record) for record in records)
        pipe.xadd(shard.key, {"o": offset, "n": len(records), "data": lines})
        pipe.hset(shard.facts, "offset", offset + len(records))
        pipe.execute()


def fill(number, token):
    return OrderEvent(
        "polymarket",
        token,
        1,
        event_id=f"0x{number}_0x1",
        event_ns=1_700_000_000_000_000_000,
        transaction_hash=f"0x{number}",
        order_hash="0x1",
        maker="0xa",
        taker="0xb",
        maker_asset_id="0",
        taker_asset_id=token,
        maker_amount="420000",
        taker_amount="1000000",
        fee="0",
        role="maker_fill",
        source="subgraph",
    )


def market(number, *tokens):
    return Market(
        "polymarket",
        f"slug-{number}",
        1,
        market_id=str(number),
        condition_id="0xc",
        question="?",
        slug=f"slug-{number}",
        outcomes=("Yes", "No"),
        token_ids=tokens,
    )


def links(fleet):
    return fleet.sql("SELECT trade_id, market_id, outcome FROM trades ORDER BY trade_id")


def test_a_trade_waits_for_its_market_in_the_table_and_is_never_guessed(fleet):
    events, markets = Shard(ORDER_EVENTS, 0, 1), Shard(MARKETS, 0, 1)
    fleet.start_program("clickhouse_writer")
    fleet.start_program("trade_processor")
    append(fleet, markets, market(1, "11", "12"))
    wait_for(lambda: fleet.sql("SELECT count() FROM market_tokens"), expected=[(2,)], what="tokens")
    append(fleet, events, fill(1, "12"), fill(2, "21"), fill(3, "99"))

    wait_for(
        lambda: links(fleet), expected=[("0x1_0x1", "1", "No"), ("0x2_0x1", "", ""), ("0x3_0x1", "", "")], what="trades"
    )
    assert {"21", "99"} == fleet.redis.smembers("wanted:tokens")

    append(fleet, markets, market(2, "21", "22"))
    wait_for(
        lambda: links(fleet),
        expected=[("0x1_0x1", "1", "No"), ("0x2_0x1", "2", "Yes"), ("0x3_0x1", "", "")],
        what="link",
    )
    wait_for(lambda: fleet.redis.smembers("wanted:tokens"), expected={"99"}, what="still wanted")
