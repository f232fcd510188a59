"""Recorded Upstox sessions, heard whole: the figures are those of `ground_truth.json` beside the recordings."""

import base64
import gzip
from collections import Counter, defaultdict
from decimal import Decimal
from functools import cache

import msgspec
import pytest

from common.records import Bar, BookSnapshot, FeedEvent, Quote, Record, Status, Ticker
from ingesters.feed import Frame, Resume
from tests.simulator_kit import CAPTURES, ground_truth, needs_captures
from tests.upstox_kit import MINUTE, MS, Talk, named, reply

pytestmark = needs_captures

THIRTEEN = "upstox-full-13-instruments-20251215-1.jsonl.gz"
SINGLES = "upstox-single-frames-2025.jsonl.gz"
CANDLES = "upstox-rest-candles-tcs-202501.jsonl.gz"
TCS = "NSE_EQ|INE467B01029"
TOPICS = {Ticker: "tickers", Quote: "quotes", BookSnapshot: "book_snapshots", Bar: "bars"}
DAY_NS = 24 * 60 * MINUTE


class Event(msgspec.Struct):
    received_ns: int
    direction: str
    payload_base64: str = ""
    payload: str = ""
    url: str = ""


@cache
def events(name: str) -> list[Event]:
    lines = gzip.decompress((CAPTURES / name).read_bytes()).splitlines()[1:]
    return [event for line in lines if (event := msgspec.json.decode(line, type=Event)).direction == "in"]


@cache
def frames(name: str) -> list[Frame]:
    return [Frame(event.received_ns, base64.b64decode(event.payload_base64)) for event in events(name)]


def heard(feed_frames, resume=None) -> list[Record]:
    return [step for step in Talk(resume).hear(*feed_frames) if isinstance(step, Record)]


@cache
def heard_once(name: str) -> list[Record]:
    return heard(frames(name))


def by_symbol(name, kind):
    found = defaultdict(list)
    for record in heard_once(name):
        if isinstance(record, kind):
            found[record.symbol].append(record)
    return found


def marks(records):
    return {(TOPICS[type(record)], record.symbol): record.sequence for record in records if type(record) in TOPICS}


def volume_per_minute(tickers):
    """What each tick adds to the largest volume so far belongs to the minute of its last trade."""
    minutes, largest = Counter(), int(tickers[0].volume)
    for ticker in tickers[1:]:
        grown = int(ticker.volume) - largest
        if grown > 0:
            minutes[ticker.last_trade_ns // MINUTE * MINUTE // MS] += grown
            largest += grown
    return [list(minute) for minute in sorted(minutes.items())]


@pytest.mark.parametrize("name", [THIRTEEN, SINGLES])
def test_every_tick_is_told_once_and_its_repeats_are_counted(name):
    told = by_symbol(name, Ticker)
    truth = {
        symbol: (facts["ticks"] - facts["exact_repeats"], facts["exact_repeats"])
        for symbol, facts in ground_truth(name)["symbols"].items()
    }
    repeats = {symbol: sum(ticker.repeats or 0 for ticker in tickers) for symbol, tickers in told.items()}
    # The last tick of this instrument was said twice; that is known with the next one.
    repeats = {symbol: count + (symbol == "NSE_EQ|INE027H01010") for symbol, count in repeats.items()}

    assert truth == {symbol: (len(told[symbol]), repeats[symbol]) for symbol in truth}


def test_volume_is_what_the_volume_of_the_day_grew_by():
    truth = ground_truth(THIRTEEN)["symbols"]
    told = by_symbol(THIRTEEN, Ticker)

    assert {symbol: facts["volume_per_minute"] for symbol, facts in truth.items()} == {
        symbol: volume_per_minute(tickers) for symbol, tickers in told.items()
    }
    assert {symbol: facts["volume"] for symbol, facts in truth.items()} == {
        symbol: max(int(ticker.volume) for ticker in tickers) - int(tickers[0].volume)
        for symbol, tickers in told.items()
    }


@pytest.mark.parametrize("name", [THIRTEEN, SINGLES])
def test_candles_of_the_venue_are_a_series_of_their_own(name):
    found = {}
    for symbol in ground_truth(name)["symbols"]:
        minutes = {bar.open_ns: int(bar.volume) for bar in by_symbol(name, Bar)[symbol] if bar.interval == "I1"}
        found[symbol] = (len(minutes), sum(minutes.values()))

    assert found == {
        symbol: (facts["vendor_i1_minutes"], facts["vendor_i1_volume"])
        for symbol, facts in ground_truth(name)["symbols"].items()
    }


def test_a_minute_is_told_once():
    for symbol, bars in by_symbol(THIRTEEN, Bar).items():
        starts = [bar.open_ns for bar in bars if bar.interval == "I1"]

        assert len(set(starts)) == len(starts), symbol


def test_a_volume_that_runs_backwards_is_flagged():
    truth = ground_truth(THIRTEEN)["symbols"]
    found = Counter(event.symbol for event in heard_once(THIRTEEN) if isinstance(event, FeedEvent))

    assert {symbol: facts["backward_vtt"] for symbol, facts in truth.items() if facts["backward_vtt"]} == dict(found)


@pytest.mark.parametrize("name", [THIRTEEN, SINGLES])
def test_the_last_state_of_each_instrument_is_the_recorded_one(name):
    told = by_symbol(name, Ticker)
    for symbol, facts in ground_truth(name)["symbols"].items():
        last, ticker = facts["last"], told[symbol][-1]
        bid, bid_size, ask, ask_size = last["best"]

        assert [Decimal(str(last["ltp"])), last["ltt"] * MS, last["vtt"]] == [
            Decimal(ticker.last_price),
            ticker.last_trade_ns,
            int(ticker.volume),
        ], symbol
        assert [str(bid), str(bid_size), str(ask), str(ask_size)] == [
            ticker.bid_price if "." in ticker.bid_price else f"{ticker.bid_price}.0",
            ticker.bid_size,
            ticker.ask_price if "." in ticker.ask_price else f"{ticker.ask_price}.0",
            ticker.ask_size,
        ], symbol


def test_books_are_never_crossed_while_the_market_is_open():
    for book in (record for record in heard_once(THIRTEEN) if isinstance(record, BookSnapshot)):
        if book.bid_prices and book.ask_prices:
            assert Decimal(book.bid_prices[0]) < Decimal(book.ask_prices[0])


def test_the_status_of_every_segment_is_told_once():
    assert {"NORMAL_OPEN": 11} == Counter(
        record.status for record in heard_once(THIRTEEN) if isinstance(record, Status)
    )


@cache
def beginning() -> tuple[list[Frame], list[Record]]:
    """Return the first minutes of the session, and what they say."""
    begun = frames(THIRTEEN)[:20_000]
    return begun, heard(begun)


def test_a_session_heard_again_says_nothing_new():
    begun, said = beginning()
    again = heard(begun, Resume(marks=marks(said)))

    assert [] == [record for record in again if not isinstance(record, Status)]


@pytest.mark.parametrize("part", [0.001, 0.1, 0.5])
def test_a_session_cut_off_and_heard_again_is_complete_and_has_nothing_twice(part):
    begun, said = beginning()
    first = heard(begun[: int(len(begun) * part)])

    both = first + heard(begun, Resume(marks=marks(first)))

    assert names(said) == names(both)
    assert [] == [record for record in both if isinstance(record, FeedEvent) and record.kind == "gap"]


def names(records):
    """Return what each record is known by, and how often it was told."""
    return Counter(
        (type(record), record.symbol, record.sequence, getattr(record, "interval", ""))
        for record in records
        if type(record) in TOPICS
    )


@pytest.mark.parametrize("day", ["2025-01-01", "2025-01-10", "2025-01-31"])
def test_recorded_candles_fill_the_day_that_was_missed(day):
    event = next(event for event in events(CANDLES) if event.url.endswith(day))
    bars, volume = ground_truth(CANDLES)["symbols"][TCS]["bars_and_volume_per_day"][day]
    first_ns = event.received_ns // DAY_NS * DAY_NS
    open_ = msgspec.json.encode({TCS: [first_ns, first_ns + DAY_NS // 2]}).decode()
    talk = Talk(Resume(state={"upstox_missed": open_}))
    steps = talk.hear(reply(f"candles:{TCS}", event.payload.encode(), first_ns + DAY_NS))

    assert (bars, int(volume)) == (len(named("Bar", steps)), sum(int(bar.volume) for bar in named("Bar", steps)))
    assert [f"{bars} candles"] == [told.found for told in named("FeedEvent", steps)]
