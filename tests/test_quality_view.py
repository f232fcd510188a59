"""What the quality page makes of what was counted: one line for all topics, stages, stretches that were not whole."""

from functools import partial

from common import redis_streams
from common.errors import Unreachable
from common.market_hours import IEX, hours_of
from common.settings import Settings
from monitoring.desk import Answer, Around, Desk
from monitoring.views.balances import Tally, balance
from monitoring.views.reckoning import reckoning_of
from monitoring.views.stages import Witnesses, stages_of
from monitoring.views.timeline import timeline

S = 1_000_000_000
FRIDAY_NS = 1_720_785_600 * S  # 12 July 2024, 12:00 UTC, when IEX opens


def test_the_line_of_all_topics_comes_out_even_with_what_moved_meanwhile():
    then, now = Tally(100, 90, 5), Tally(110, 96, 0)
    sums = reckoning_of([balance("trades", "trades", (then, now), (92, 2, 0), "")])

    assert (110, 92, 2, 14, 2, ()) == (
        sums.appended, sums.stored, sums.dead, sums.waiting, sums.moving, sums.uneven,
    )  # fmt: skip


def test_what_is_missing_is_not_taken_for_what_moved():
    still = Tally(60, 55, 0)
    short = balance("trades", "trades", (still, still), (50, 2, 0), "")
    newest = balance("markets", "market_versions", (still, still), (7, 0, 0), "a merge keeps the newest version")
    sums = reckoning_of([short, newest])

    assert (("trades",), ("markets",), 0) == (sums.uneven, sums.uncounted, sums.moving)


def test_nothing_counted_is_no_reckoning():
    assert reckoning_of([]) is None


def test_a_stage_without_a_witness_says_why_and_is_not_zero():
    silent = Answer("clickhouse", None, 0, "connection refused")
    venue, redis, store = stages_of(Witnesses(silent, Answer("redis", [5.0, 1.0, 3.0], 0), [], 10.0))

    assert (None, "clickhouse does not answer: connection refused") == (venue.p50_ms, venue.why)
    assert (3.0, 5.0, 3) == (redis.p50_ms, redis.p99_ms, redis.observations)
    assert (None, "nothing is remembered yet") == (store.p50_ms, store.why)


async def test_of_two_servers_the_one_that_was_away_is_named():
    async def count(_):
        raise Unreachable("clickhouse", reason="connection refused")

    redis = redis_streams.connect(Settings())  # nobody is dialled before the first question
    answer = await Desk(Settings(), redis, Around()).of_redis("count", 0.0, count)
    await redis.aclose()

    assert ("clickhouse", "connection refused") == (answer.server, answer.problem)


def gap(venue, symbol, at_ns):
    return {
        "venue": venue, "symbol": symbol, "kind": "gap", "channel": "books", "from_ns": at_ns, "to_ns": at_ns,
        "expected": "", "found": "", "detail": "",
    }  # fmt: skip


def drawn(incidents, start_ns, stop_ns, missing):
    return timeline(incidents, start_ns, stop_ns, missing, partial(hours_of, stocks_feed="iex"))


def test_a_lane_is_hollow_from_the_gap_to_the_return_to_order():
    missing = {("okx", "BTC-USDT"): [(20 * S, 45 * S)]}
    marks = drawn([gap("okx", "BTC-USDT", 20 * S)], 0, 100 * S, missing).lanes[0].marks

    assert [("hollow", 200.0, 250.0), ("gap", 200.0, 3.0)] == [(mark.kind, mark.x, mark.width) for mark in marks]


def test_a_lane_is_hatched_while_its_market_is_closed_and_no_other_is():
    incidents = [gap(*who, FRIDAY_NS) for who in (("alpaca", "AAPL"), ("alpaca", "BTC/USD"), ("okx", "BTC-USDT"))]
    drawing = drawn(incidents, FRIDAY_NS, FRIDAY_NS + 90 * 3600 * S, {})

    assert [100.0, 900.0] == [mark.x for mark in drawing.lanes[0].closed]
    assert [700.0, 100.0] == [mark.width for mark in drawing.lanes[0].closed]
    assert "market closed from 2024-07-12 21:00 to 2024-07-15 12:00 UTC" == drawing.lanes[0].closed[0].words
    assert [(), ()] == [lane.closed for lane in drawing.lanes[1:]]
    assert (str(IEX),) == drawing.hours
