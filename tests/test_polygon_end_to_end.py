"""Fills of the chain through the whole fleet: each maker's fill is one trade, whoever is killed on the way."""

from decimal import Decimal

import pytest

from tests.fleet_harness import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(240)]

PROGRAMS = ("clickhouse_writer", "trade_processor", "polygon_ingester")


@pytest.mark.parametrize("victim", [None, "polygon_ingester"])
def test_fills_of_the_chain_become_trades_once(fleet, victim):
    fleet.start_simulator("--demo")
    for program in PROGRAMS:
        fleet.start_program(program)
    wait_for(lambda: fleet.sql("SELECT count() > 500 FROM order_events")[0][0], expected=1, what="the history")
    if victim:
        fleet.kill(victim)
        fleet.restart(victim)
    before = fleet.sql("SELECT count() FROM order_events")[0][0]
    wait_for(lambda: fleet.sql("SELECT count() FROM order_events")[0][0] > before, what="new blocks")
    fleet.end("polygon_ingester")
    fills = "FROM order_events WHERE role = 'maker_fill'"
    wait_for(
        lambda: fleet.sql("SELECT count() FROM trades"),
        expected=fleet.sql(f"SELECT count() {fills}"),
        what="a trade for each fill",
    )

    usd, shares = fleet.sql(
        "SELECT sum(if(maker_asset_id = '0', maker_amount, taker_amount)), "
        f"sum(if(maker_asset_id = '0', taker_amount, maker_amount)) {fills}"
    )[0]
    assert [(Decimal(usd) / 10**6, Decimal(shares) / 10**6)] == fleet.sql("SELECT sum(notional), sum(size) FROM trades")
    assert [(True, True, "chain")] == fleet.sql(
        "SELECT count() = uniqExact(event_id), countIf(role = 'taker_order') > 0, any(source) FROM order_events"
    )
    assert [] == fleet.sql("SELECT * FROM dead_letters")
