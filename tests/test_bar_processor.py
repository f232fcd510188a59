"""Candles as the bar processor tells them: whole, exact, and the same whatever happens on the way."""

import random
from decimal import Decimal

import msgspec
import polars as pl
import pytest

from common.errors import UnreadableCheckpoint
from common.records import Trade
from processors.amended import SCHEMA
from processors.candles import Candles, Saved
from tests.book_kit import NOTHING, frame
from tests.candle_kit import SECOND_NS, START_NS, newest, random_trades, slowly, trade, turned


def told_of(*trades, interval="1s"):
    """Return (seconds of the shard's time, open, high, low, close, trades, closed) of one interval's candles."""
    return [
        (
            (row["event_ns"] - START_NS) // SECOND_NS,
            *(row[name] and float(row[name]) for name in ("open", "high", "low", "close")),
            row["trades"],
            row["is_closed"],
        )
        for row in turned(Candles(), list(trades))
        if row["interval"] == interval
    ]


END = trade(100_000, symbol="OTHER")


def test_a_candle_is_told_each_second_in_which_it_changes_and_once_more_when_it_is_over():
    told = told_of(trade(0.5, 10), trade(1.5, 12), trade(1.7, 9), trade(59, 11), trade(61, 1), interval="1m")

    assert [
        (1, 10, 10, 10, 10, 1, False),
        (2, 10, 12, 9, 9, 3, False),
        (60, 10, 12, 9, 11, 4, True),
    ] == told


def test_a_quiet_candle_is_closed_when_the_time_of_the_shard_has_gone_on():
    told = told_of(trade(0.5, 10), trade(30, 1, symbol="OTHER"), trade(90, 1, symbol="OTHER"), interval="1m")

    assert [(1, 10, 10, 10, 10, 1, False), (60, 10, 10, 10, 10, 1, True)] == [row for row in told if row[1] == 10]


def test_a_late_trade_changes_its_candle_once_and_wholly():
    late = [trade(0.1, 9, late_s=6), trade(0.9, 11, late_s=6)]
    told = told_of(trade(0.5, 10), trade(5, 20), *late, trade(8, 20), trade(9, 20))

    assert [(1, 10, 10, 10, 10, 1, True), (7, 9, 11, 9, 11, 3, True)] == [row for row in told if row[1] < 20]


def test_a_trade_that_is_later_than_candles_are_kept_tells_no_part_of_one():
    late = trade(0.7, 99, late_s=400)
    told = turned(Candles(), [trade(0.5, 10), trade(400, 20), late, END])

    assert [1] == [row["trades"] for row in told if (row["interval"], row["open_ns"]) == ("1s", START_NS)]
    assert {"99"} == {row["high"] for row in told if row["interval"] in ("1h", "1d") and row["trades"] == 3}


def test_the_last_word_on_every_candle_is_what_all_of_its_trades_make():
    trades = random_trades(600, seed=1)

    assert slowly(trades) == {
        key: candle for key, candle in newest(turned(Candles(), [*trades, END], step=37)).items() if key[1] != "OTHER"
    }


def test_any_cutting_and_checkpoints_in_between_tell_the_same_to_the_byte():
    trades = random_trades(300, seed=2)
    whole, state, cut, at = turned(Candles(), trades), Candles(), [], 0
    for step in (1, 2, 3, 50, 7, 11, 13) * 4:
        state = Candles(state.save())
        cut += turned(state, trades[at : at + step], first=at)
        at += step

    assert at >= len(trades)
    assert whole == cut


def test_in_a_silence_a_candle_is_closed_by_the_clock():
    state = Candles()
    turned(state, [trade(0.5, 10), trade(30, 11)])
    silences = [state.rest(seconds * SECOND_NS, NOTHING) for seconds in (1, 5, 29, 31)]

    assert [True, False, False, True] == [made is not None for made in silences]
    assert [("1s", True), ("1m", False), ("1h", False), ("1d", False)] == told_by(silences[0])
    assert [("1m", True)] == told_by(silences[3])


def told_by(made):
    return made.rows.select("interval", "is_closed").rows()


def test_silences_between_trades_change_nothing_of_what_is_told_in_the_end():
    chance, trades = random.Random(6), random_trades(300, seed=6)
    whole, state, found = turned(Candles(), trades), Candles(), []
    for at, one in enumerate(trades):
        found += turned(state, [one], first=at)
        seen_s = max(earlier.received_ns for earlier in trades[: at + 1]) // SECOND_NS
        next_s = trades[min(at + 1, len(trades) - 1)].received_ns // SECOND_NS
        for _ in range(chance.choice([0, 1, 3])):
            made = state.rest(chance.randint(0, max(next_s - seen_s, 1) - 1) * SECOND_NS, NOTHING)
            found += made.rows.to_dicts() if made else []
            state = Candles(state.save())

    assert whole == found[: len(whole)]


def test_a_recording_is_told_although_its_time_is_long_over():
    trades = random_trades(200, seed=3)
    played = [msgspec.structs.replace(one, event_ns=one.event_ns - 10**18) for one in trades]
    found = newest(turned(Candles(), [*played, END]))

    assert slowly(played) == {key: candle for key, candle in found.items() if key[1] != "OTHER"}


def test_history_that_a_chain_tells_of_is_left_to_the_views():
    history = [trade(at_s, late_s=10**7, source="derived") for at_s in range(3)]
    told = turned(Candles(), [*history, trade(10**7 + 5, source="derived"), trade(10**7 + 9, symbol="OTHER")])

    assert {START_NS + (10**7 + 5) * SECOND_NS} == {
        row["open_ns"] for row in told if row["interval"] == "1s" and row["symbol"] == "S"
    }


@pytest.mark.parametrize("first", [5, 0])
def test_no_part_of_a_candle_is_told_that_was_begun_before_all_trades_were_seen(first):
    state = Candles()
    trades = [trade(at_s) for at_s in (30, 45, 59, 61, 130, 131)]
    told = turned(state, trades[:1]) if not first else []
    told += turned(state, trades[1:], first=5)

    minutes = {(row["open_ns"] - START_NS) // SECOND_NS for row in told if row["interval"] == "1m"}
    assert {60, 120} == minutes
    assert [] == [row for row in told if row["interval"] in ("1h", "1d")]


def test_a_corrected_candle_takes_the_place_of_the_one_that_did_not_know():
    state = Candles()
    turned(state, [trade(0.5, 10), trade(0.6, 99)])
    anew = {name: [0] if dtype == pl.Int64 else [Decimal(7)] for name, dtype in SCHEMA.items()}
    anew |= {"venue": ["v"], "symbol": ["S"], "interval_s": [60], "open_ns": [START_NS], "trades": [1]}
    last = frame([trade(5, 8), trade(7, 6)], Trade, first=2)
    told = newest(state.turn(last, pl.DataFrame(anew, schema=SCHEMA)).rows.to_dicts())

    assert 2 == told["v", "S", "1m", START_NS][-1]
    assert Decimal(99) == told["v", "S", "1h", START_NS][1]


def test_a_candle_whose_every_trade_was_cancelled_has_no_prices():
    state = Candles()
    turned(state, [trade(0.5, 10)])
    gone = {name: [0] if dtype == pl.Int64 else [Decimal(0)] for name, dtype in SCHEMA.items()}
    gone |= {"venue": ["v"], "symbol": ["S"], "interval_s": [1], "open_ns": [START_NS]}
    told = state.turn(frame([trade(5), trade(6)], Trade, first=1), pl.DataFrame(gone, schema=SCHEMA)).rows

    assert (None, "0", 0, None) == told.filter(open_ns=START_NS, interval="1s").select(
        "open", "volume", "trades", "vwap"
    ).row(0)


def test_a_trade_that_no_table_can_hold_is_in_no_candle():
    told = told_of(trade(0.5, 10), trade(0.6, "1e25"), trade(0.7, "none"), trade(3), interval="1s")

    assert (1, 10, 10, 10, 10, 1, True) == told[0]


def test_a_checkpoint_of_another_version_is_refused():
    with pytest.raises(UnreadableCheckpoint, match="bar_processor"):
        Candles(msgspec.msgpack.encode(Saved(version=2)))
