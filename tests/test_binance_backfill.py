"""Trades that the stream of Binance did not bring are fetched by id: all of them, each once, whatever is in the way."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import BadAnswer
from common.records import Bar, FeedEvent, Trade
from common.settings import Settings
from ingesters.feed import Checkpoint, Fetch, Frame, Resume, hear
from ingesters.venues.binance import BinanceFeed

SYMBOL = "BTCUSDT"
START_NS = 1_723_161_255_000_000_000
TURN_NS = 100_000_000
FIRST_ID = 1000

FATES = st.lists(
    st.sampled_from(["deliver", "deliver", "drop", "drop", "hold", "repeat", "restart", "answer", "answer", "garbage"]),
    max_size=80,
)


def time_ms(number):
    return (START_NS + (number - FIRST_ID) * TURN_NS) // 10**6


def streamed(number, kind="trade", symbol=SYMBOL):
    key = {"trade": "t", "aggTrade": "a"}[kind]
    data = {"e": kind, "E": 1, "s": symbol, key: number, "p": "9", "q": "1", "T": time_ms(number), "m": True}
    payload = json.dumps({"stream": f"{symbol.lower()}@{kind}", "data": data}, separators=(",", ":")).encode()
    return Frame(time_ms(number) * 10**6, payload)


def page(first, last, kind="trade"):
    """Return the ids from `first` to `last` as an endpoint tells them, a thousand at most."""
    rows = range(first, min(last, first + 999) + 1)
    if kind == "aggTrade":
        told = [{"a": n, "p": "9", "q": "1", "f": n, "l": n, "T": time_ms(n), "m": True, "M": True} for n in rows]
    else:
        told = [
            {"id": n, "price": "9", "qty": "1", "quoteQty": "9", "time": time_ms(n), "isBuyerMaker": True} for n in rows
        ]
    return json.dumps(told).encode()


class Recorder:
    """A feed and its streams: what a frame means is appended with its state and its marks, as one."""

    def __init__(self, **chosen):
        self._settings = Settings(**chosen)
        self.state, self.marks, self.records = {}, {}, []
        self.start()

    def start(self):
        """Begin as a new process would."""
        self.asked = {}
        self._feed = BinanceFeed(self._settings, Resume(dict(self.state), dict(self.marks)))
        self._keep(self._feed.opening())

    def hear(self, frame):
        steps = hear(self._feed, frame)
        self._keep(steps)
        return steps

    def answer(self, body, status=200, key=f"trades:{SYMBOL}", now_ns=START_NS):
        """Answer the question that is under way; one that could not be read is asked again."""
        fetch = self.asked.pop(key)
        try:
            return self.hear(Frame(now_ns, body, reply_to=key, status=status))
        except BadAnswer:
            self.asked[key] = fetch
            return []

    def first_id(self, key=f"trades:{SYMBOL}"):
        """Return from which id trades are asked for, None when they are not."""
        fetch = self.asked.get(key)
        return int(fetch.url.partition("fromId=")[2].partition("&")[0]) if fetch else None

    def _keep(self, steps):
        for step in steps:
            match step:
                case Checkpoint():
                    self.state |= step.state
                case Fetch():
                    self.asked[step.key] = step
                case Trade() | Bar() | FeedEvent():
                    self.records.append(step)
                    if step.sequence is not None:
                        self.marks["trades" if isinstance(step, Trade) else "bars", step.symbol] = step.sequence

    def ids(self):
        return sorted(int(record.trade_id) for record in self.records if isinstance(record, Trade))

    def events(self, *kinds):
        return [record for record in self.records if isinstance(record, FeedEvent) and record.kind in kinds]


def answer_all(recorder, last):
    while (first := recorder.first_id()) is not None:
        recorder.answer(page(first, last))


@settings(max_examples=300, deadline=None)
@given(FATES)
def test_every_trade_is_told_once_however_it_was_lost(fates):
    recorder = Recorder()
    recorder.hear(streamed(FIRST_ID))
    held = []
    last = FIRST_ID
    for number, fate in enumerate(fates, start=FIRST_ID + 1):
        last = number
        match fate:
            case "restart":
                recorder.start()
                held = []
            case "hold":
                held.append(number)
            case "garbage" if recorder.first_id():
                recorder.answer(b'[{"id":7}]')
            case "answer" if first := recorder.first_id():
                recorder.answer(page(first, min(number, first + 2)))
            case "deliver" | "repeat":
                for told in [number] * (2 if fate == "repeat" else 1) + held:
                    recorder.hear(streamed(told))
                held = []
    recorder.hear(streamed(last + 1))
    answer_all(recorder, last)

    assert list(range(FIRST_ID, last + 2)) == recorder.ids()
    assert "[]" == recorder.state.get("binance_backfill", "[]")


def test_a_hole_is_told_then_filled_then_told_to_be_filled():
    recorder = Recorder()
    recorder.hear(streamed(1000))
    recorder.hear(streamed(1004))
    recorder.answer(page(1001, 1100))
    gap, filled = recorder.events("gap", "backfilled")

    assert ("gap", "backfilled") == (gap.kind, filled.kind)
    assert ("3", "3", "ids 1001 to 1003") == (filled.expected, filled.found, filled.detail)
    assert (time_ms(1000) * 10**6, time_ms(1004) * 10**6) == (filled.from_ns, filled.to_ns)


def test_a_filled_trade_says_so_and_leaves_no_mark():
    recorder = Recorder()
    recorder.hear(streamed(1000))
    recorder.hear(streamed(1002))
    recorder.answer(page(1001, 1100))
    (trade,) = [record for record in recorder.records if isinstance(record, Trade) and record.source == "backfill"]

    assert ("1001", None, "sell", None) == (trade.trade_id, trade.sequence, trade.taker_side, trade.notional)


def test_what_was_missed_between_two_runs_is_fetched_page_by_page():
    recorder = Recorder()
    recorder.hear(streamed(1000))
    recorder.start()
    recorder.hear(streamed(4000))
    recorder.answer(page(1001, 4100))
    recorder.start()

    assert 2001 == recorder.first_id()
    answer_all(recorder, 4100)
    assert list(range(1000, 4001)) == recorder.ids()


def test_a_hole_longer_than_wanted_is_told_and_not_fetched():
    recorder = Recorder(backfill_max_s=10)
    recorder.hear(streamed(1000))
    recorder.hear(streamed(1200))

    assert recorder.first_id() is None
    assert ["", "ids 1001 to 1199: not asked for: longer than BACKFILL_MAX_S"] == [
        event.detail for event in recorder.events("gap")
    ]


def test_a_hole_of_unknown_age_is_given_up_when_its_first_trade_is_too_old():
    recorder = Recorder(backfill_max_s=10)
    recorder.hear(streamed(1000))
    recorder.start()
    recorder.hear(streamed(1200))
    recorder.answer(page(1001, 1300))

    assert [1000, 1200] == recorder.ids()
    assert recorder.first_id() is None
    assert "ids 1001 to 1199: not asked for: longer than BACKFILL_MAX_S" == recorder.events("gap")[-1].detail


def test_what_the_venue_does_not_have_stays_a_gap():
    recorder = Recorder()
    recorder.hear(streamed(1000))
    recorder.hear(streamed(1006))
    recorder.answer(page(1003, 1100))
    filled, gap = recorder.events("gap", "backfilled")[-2:]

    assert ("backfilled", "5", "3") == (filled.kind, filled.expected, filled.found)
    assert ("gap", "ids 1001 to 1005: the venue does not have all of them") == (gap.kind, gap.detail)


def test_empty_answers_are_asked_again_with_growing_pauses_and_then_believed():
    recorder = Recorder()
    recorder.hear(streamed(1000))
    recorder.hear(streamed(1006))
    pauses = []
    while recorder.first_id():
        pauses.append(recorder.asked[f"trades:{SYMBOL}"].after_s)
        recorder.answer(b"[]")

    assert [1, 1, 2, 4, 8, 16] == pauses
    assert "ids 1001 to 1005: the venue does not have them" == recorder.events("gap")[-1].detail


def test_a_refused_symbol_is_told_with_the_words_of_the_venue():
    recorder = Recorder()
    recorder.hear(streamed(1000))
    recorder.hear(streamed(1006))
    recorder.answer(b'{"code":-1121,"msg":"Invalid symbol."}', status=400)

    assert "ids 1001 to 1005: refused: -1121 Invalid symbol." == recorder.events("gap")[-1].detail
    assert recorder.first_id() is None


def test_aggregate_trades_are_filled_from_their_own_numbering():
    recorder = Recorder()
    recorder.hear(streamed(1000, "aggTrade"))
    recorder.hear(streamed(1003, "aggTrade"))
    fetch = recorder.asked[f"trades:{SYMBOL}"]
    recorder.answer(page(1001, 1100, "aggTrade"))

    assert ("/api/v3/aggTrades?symbol=BTCUSDT&fromId=1001&limit=1000", 4) == (
        fetch.url.removeprefix("https://api.binance.com"),
        fetch.weight,
    )
    assert [1000, 1001, 1002, 1003] == recorder.ids()


def test_holes_of_an_old_numbering_are_forgotten():
    recorder = Recorder()
    recorder.hear(streamed(1000))
    recorder.hear(streamed(1006))
    later = msgspec.structs.replace(streamed(1), payload=streamed(1).payload.replace(b'"T":17', b'"T":19'))
    recorder.hear(later)
    recorder.answer(page(1001, 1100))

    assert [1, 1000, 1006] == recorder.ids()
    assert "[]" == recorder.state["binance_backfill"]


@settings(max_examples=200, deadline=None)
@given(FATES, st.integers(0, 60), st.integers(1, 40))
def test_a_history_and_its_stream_meet_without_a_seam(fates, begins_after, page_rows):
    """The history begins 50 ids before the stream, whose first trades may come before or after it was read."""
    recorder = Recorder(binance_history_from_id=(f"{SYMBOL}:950",))
    last = FIRST_ID
    for turn, fate in enumerate(fates):
        if fate == "restart":
            recorder.start()
        elif turn >= begins_after and fate == "deliver":
            last += 1
            recorder.hear(streamed(last))
        elif fate == "answer":
            first = recorder.first_id()
            recorder.answer(
                page(first, min(first + page_rows - 1, last)) if first is not None else b"[]"
            ) if first else None
    recorder.hear(streamed(last + 1))
    answer_all(recorder, last + 1)

    assert list(range(950, last + 2)) == recorder.ids()


def test_a_history_of_any_age_is_recorded():
    recorder = Recorder(binance_history_from_id=(f"{SYMBOL}@aggTrade:950",), backfill_max_s=0)
    recorder.answer(page(950, 960, "aggTrade"), now_ns=START_NS * 2)

    assert list(range(950, 961)) == recorder.ids()
    assert 961 == recorder.first_id()


def test_a_stream_of_another_numbering_does_not_end_a_history():
    recorder = Recorder(binance_history_from_id=(f"{SYMBOL}@aggTrade:950",))
    recorder.hear(streamed(5000))
    recorder.hear(streamed(952, "aggTrade"))
    answer_aggregates(recorder, 952)
    recorder.start()
    recorder.hear(streamed(953, "aggTrade"))

    assert [950, 951, 952, 953] == recorder.ids()


def answer_aggregates(recorder, last):
    while (first := recorder.first_id()) is not None:
        recorder.answer(page(first, last, "aggTrade"))


def test_a_history_that_was_recorded_is_not_begun_again():
    recorder = Recorder(binance_history_from_id=(f"{SYMBOL}:950",))
    recorder.hear(streamed(952))
    answer_all(recorder, 952)
    recorder.start()

    assert recorder.first_id() is None


def test_a_symbol_with_a_history_of_aggregates_is_listened_to_in_aggregates():
    feed = BinanceFeed(Settings(binance_history_from_id=(f"{SYMBOL}@aggTrade:950",)), Resume())
    (dial, *_) = feed.opening()

    assert "/btcusdt@trade" not in dial.url.replace("streams=", "/")
    assert "btcusdt@aggTrade" in dial.url
    assert "ethusdt@trade" in dial.url


def candle(minute, close="9", interval="1m"):
    inner = {
        "t": minute * 60_000,
        "T": minute * 60_000 + 59_999,
        "i": interval,
        "o": "9",
        "c": close,
        "h": "9",
        "l": "9",
    }
    inner |= {"v": "1", "q": "9", "n": 1, "x": False}
    data = {"e": "kline", "E": minute * 60_000 + 2_000, "s": SYMBOL, "k": inner}
    return Frame(START_NS, json.dumps({"stream": f"btcusdt@kline_{interval}", "data": data}).encode())


def klines(first, last):
    rows = [
        [m * 60_000, "9", "9", "9", "9", "1", m * 60_000 + 59_999, "9", 1, "1", "9", "0"] for m in range(first, last)
    ]
    return json.dumps(rows).encode()


def minutes(recorder):
    return [bar.open_ns // 60_000_000_000 for bar in recorder.records if isinstance(bar, Bar)]


def test_candles_missed_between_two_runs_are_fetched_with_the_last_one():
    recorder = Recorder()
    recorder.hear(candle(100))
    recorder.start()
    recorder.hear(candle(103))
    recorder.answer(klines(100, 103), key="klines:BTCUSDT")
    recorder.hear(candle(103))

    assert [100, 103, 100, 101, 102, 103] == minutes(recorder)
    assert 103 * 60_000 == recorder.marks["bars", SYMBOL]


def test_a_kill_before_the_missed_candles_came_asks_for_them_again():
    recorder = Recorder()
    recorder.hear(candle(100))
    recorder.start()
    recorder.hear(candle(103))
    recorder.start()
    recorder.hear(candle(104))

    assert f"startTime={100 * 60_000}&endTime={104 * 60_000 - 1}" in recorder.asked["klines:BTCUSDT"].url


def test_more_candles_than_a_page_holds_come_on_several():
    recorder = Recorder()
    recorder.hear(candle(100))
    recorder.start()
    recorder.hear(candle(1400))
    recorder.answer(klines(100, 1100), key="klines:BTCUSDT")

    assert f"startTime={1100 * 60_000}&endTime={1400 * 60_000 - 1}" in recorder.asked["klines:BTCUSDT"].url


def test_candles_of_other_intervals_are_stored_as_they_come():
    recorder = Recorder()
    recorder.hear(candle(100, interval="5m"))

    assert {} == recorder.marks
    assert [100] == minutes(recorder)
