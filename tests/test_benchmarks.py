"""The benchmark itself: that it runs, and that it would notice a trade lost or doubled."""

import json
import shutil
from decimal import Decimal

import msgspec
import pytest

from benchmarks import many, ours, plain
from benchmarks.bench import Found, bars
from benchmarks.measure import Figures, fault, measure
from benchmarks.trades import Totals, frame, message, totals
from ingesters.venues.binance_wire import TRADE

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


def figures(us, wrong=""):
    return Figures("a path", 10, 1.0, {"one": us / 2, "other": us / 2}, wrong)


def test_all_trades_differ_and_add_up_to_the_totals():
    sent = [TRADE.decode(message(number, 1)).data for number in range(1000)]

    assert 1000 == len({(trade.symbol, trade.id) for trade in sent})
    assert totals(1000) == Totals(
        1000,
        sum(Decimal(trade.size) for trade in sent),
        sum(Decimal(trade.size) * Decimal(trade.price) for trade in sent),
    )


@pytest.mark.parametrize("length", [5, 125, 126, 300])
def test_a_frame_says_how_long_its_message_is(length):
    framed = frame(b"x" * length)

    assert framed.endswith(b"x" * length)
    assert length == (framed[1] if framed[1] < 126 else int.from_bytes(framed[2:4], "big"))


def test_bars_are_met_or_missed_by_the_figures():
    found = Found(ours=figures(5), plain=figures(90))

    assert [("18.0 x", False), ("so it is", True)] == [(bar.found, bar.is_met) for bar in bars(found)]


def test_a_fault_misses_its_bar():
    assert not bars(Found(ours=figures(5, wrong="rows: expected 2, found 1")))[0].is_met


@pytest.mark.redis
@pytest.mark.clickhouse
def test_our_path_carries_every_trade_once_and_a_missing_or_doubled_one_is_told():
    with ours.running() as (house, venue):
        found = measure(house, venue, ours.PATH, events=2_000, warm_up=500)

        assert ("", 2_000) == (found.fault, found.events)
        assert set(ours.PATH.processes) == set(found.cpu_us)
        assert 0 < found.us_per_event
        assert "rows: expected 2501, found 2500" in fault(house, ours.PATH, totals(2_501))
        house.command("INSERT INTO trades SELECT * FROM trades WHERE offset = 7")
        assert "rows: expected 2500, found 2501" in fault(house, ours.PATH, totals(2_500))


@pytest.mark.redis
@pytest.mark.clickhouse
def test_the_plain_design_carries_every_trade_too():
    assert "" == plain.throughput(1_000).fault


@pytest.mark.redis
@pytest.mark.parametrize("venue", ["binance", "okx"])
def test_a_crowd_of_books_changes_ten_times_a_second_and_all_of_it_comes(venue):
    found = many.measure(venue, symbols=10, for_s=1.0)

    assert (venue, 10) == (found.venue, found.symbols)
    assert 90 < found.messages_per_s
    assert 0 < found.cpu_pct
    assert not {"gap", "stale"} & set(found.told)


def test_the_report_is_json():
    from benchmarks.report import as_json  # noqa: PLC0415  rich is only needed here

    told = json.loads(msgspec.json.encode(as_json(Found(ours=figures(5)))))

    assert 200_000 == told["ours"]["per_cpu_s"]
