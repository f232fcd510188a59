"""What OKX is asked for on the grid: four answers under one time, evenly spread, never drifting, never silent."""

import json
from collections import Counter

import pytest

from common.errors import BadAnswer, WireLost
from common.records import Bar, BookSnapshot, DeadLetter, Ticker
from ingesters.feed import Checkpoint, Dial, Fetch, Resume, Send, Wake
from ingesters.registry import of_program
from ingesters.venues.okx_backfill import WEIGHT as HISTORY_WEIGHT
from tests.okx_kit import MS_NS, SECOND_NS, SYMBOL, Talk, answer, book, choose, push, trade

WAKE = "books-full@0"
PARTS = ("books-full", "books", "candles", "ticker")
CANDLES = [
    ["1786538760000", "1", "2", "1", "2", "5", "9", "9", "0"],
    ["1786538700000", "1", "2", "1", "2", "5", "9", "9", "1"],
]


def body(part, now_ns, symbol=SYMBOL):
    stamp = str(now_ns // MS_NS)
    match part:
        case "books-full":
            return answer({"asks": [["2", "1", "3"]], "bids": [["1", "1", "4"]], "ts": stamp})
        case "books":
            return answer({"asks": [["2", "1", "0", "3"]], "bids": [["1", "1", "0", "4"]], "ts": stamp, "seqId": 7})
        case "candles":
            return answer(*CANDLES)
        case _:
            return answer({"instId": symbol, "last": "1.5", "ts": stamp})


def begin(talk, key=WAKE):
    """Let the time come; return what is asked for."""
    wake = next(step for step in talk.hear(b"", reply_to=key) if isinstance(step, Wake))
    return [step for step in talk.after(wake.after_s).hear(b"", reply_to=key) if isinstance(step, Fetch)]


def test_a_cycle_asks_for_four_things_and_its_records_share_the_tickers_time():
    talk = Talk()
    fetches = begin(talk)
    for late_ms, fetch in enumerate(fetches):
        part = fetch.key.partition(":")[0]
        talk.after(0.1).hear(body(part, talk.now_ns - late_ms * MS_NS), reply_to=fetch.key)
    ticker_ns = talk.records(Ticker)[0].event_ns
    books = [(one.depth, one.source, one.bid_orders) for one in talk.records(BookSnapshot)]

    assert set(PARTS) == {fetch.key.partition(":")[0] for fetch in fetches}
    assert [(5000, "rest", (4,)), (400, "rest", (4,))] == books
    assert [True, False] == [bar.is_closed for bar in talk.records(Bar)]
    assert {ticker_ns} == {one.event_ns for kind in (BookSnapshot, Bar, Ticker) for one in talk.records(kind)}


def test_the_venue_is_asked_for_all_levels_it_has():
    urls = {fetch.key.partition(":")[0]: fetch.url.partition("/api/v5/market/")[2] for fetch in begin(Talk())}

    assert {
        "books-full": f"books-full?instId={SYMBOL}&sz=5000",
        "books": f"books?instId={SYMBOL}&sz=400",
        "candles": f"candles?instId={SYMBOL}&bar=1m&limit=2",
        "ticker": f"ticker?instId={SYMBOL}",
    } == urls


def walk(talk, seconds, *, delay_s=0.2, key=WAKE):
    """Answer everything `delay_s` late for so many seconds; return when each symbol's cycles began."""
    began, due = {}, [(talk.now_ns, key, b"")]
    until_ns = talk.now_ns + int(seconds * SECOND_NS)
    while due:
        due.sort()
        at_ns, asked, payload = due.pop(0)
        if at_ns > until_ns:
            break
        talk.now_ns = at_ns
        for step in talk.hear(payload, reply_to=asked):
            if isinstance(step, Wake) and step.key == key:
                due.append((at_ns + int(step.after_s * SECOND_NS) + 3 * MS_NS, key, b""))
            elif isinstance(step, Fetch):
                part, symbol = step.key.split(":")
                if part == "books-full":
                    began.setdefault(symbol, []).append(at_ns)
                later_ns = at_ns + int(delay_s * SECOND_NS)
                due.append((later_ns, step.key, body(part, later_ns, symbol)))
    return began


def test_cycles_are_on_a_grid_that_no_delay_moves():
    symbols = tuple(f"S{n}-USDT" for n in range(6))
    began = walk(Talk(okx_symbols=symbols, okx_books_full_interval_s=60), 3600, delay_s=7.0)
    phases = {symbol: {round(at_ns / SECOND_NS % 60, 1) for at_ns in times} for symbol, times in began.items()}

    assert {59, 60} >= {len(times) for times in began.values()}
    assert {symbol: {float(place * 10)} for place, symbol in enumerate(symbols)} == phases


def test_a_cycle_that_cannot_finish_in_its_interval_is_told_and_so_is_its_end():
    talk = Talk(okx_books_full_interval_s=60)
    fetches = begin(talk)
    for fetch in fetches[1:]:
        talk.hear(body(fetch.key.partition(":")[0], talk.now_ns), reply_to=fetch.key)
    again = [step for step in talk.after(60).hear(b"", reply_to=WAKE) if isinstance(step, Fetch)]
    (stale,) = talk.events("stale")

    assert [] == again
    assert ("books-full", SYMBOL, True) == (stale.channel, stale.symbol, "books-full" in stale.detail)
    outdated = talk.hear(body("books-full", talk.now_ns), reply_to=fetches[0].key)
    assert {"books", "candles", "ticker"} == {step.key.partition(":")[0] for step in outdated}
    for fetch in outdated:
        talk.hear(body(fetch.key.partition(":")[0], talk.now_ns), reply_to=fetch.key)
    assert ["books-full"] == [event.channel for event in talk.events("resync")]
    assert 2 == len(talk.records(BookSnapshot))


def finish(talk, fetches):
    return [
        step for one in fetches for step in talk.hear(body(one.key.partition(":")[0], talk.now_ns), reply_to=one.key)
    ]


@pytest.mark.parametrize(("away_s", "missing"), [(30, []), (59, []), (185, ["3 cycles"]), (3590, ["59 cycles"])])
def test_cycles_that_fell_out_while_the_program_was_away_are_told(away_s, missing):
    talk = Talk(okx_books_full_interval_s=60)
    (done,) = [step for step in finish(talk, begin(talk)) if isinstance(step, Checkpoint)]
    later = Talk(Resume(done.state), okx_books_full_interval_s=60)
    later.now_ns = talk.now_ns + away_s * SECOND_NS
    begin(later)

    assert missing == [event.detail.partition(" of")[0] for event in later.events("gap")]


def test_cycles_that_fell_out_because_nobody_came_to_wake_are_told():
    talk = Talk(okx_books_full_interval_s=60)
    finish(talk, begin(talk))
    talk.after(185).hear(b"", reply_to=WAKE)
    (gap,) = talk.events("gap")

    assert ("books-full", "2 cycles of 60 s fell out: not running, or not connected") == (gap.channel, gap.detail)


def test_a_refusal_that_is_not_the_venues_own_leaves_the_rest_alone():
    talk = Talk()
    fetches = begin(talk)
    talk.hear(b"<html>blocked</html>", reply_to=fetches[0].key, status=451)

    assert [("451", "<html>blocked</html>")] == [(event.found, event.detail) for event in talk.events("refused")]


def test_a_busy_venue_is_asked_again_and_a_refused_symbol_is_left_out():
    talk = Talk()
    fetches = begin(talk)
    with pytest.raises(BadAnswer) as busy:
        talk.hear(answer(code="50011", msg="Rate limit reached."), reply_to=fetches[0].key)
    with pytest.raises(BadAnswer):
        talk.hear(answer(), reply_to=fetches[0].key)
    talk.hear(answer(code="51001", msg="Instrument ID does not exist"), reply_to=fetches[0].key)

    assert 2.0 == busy.value.retry_after_s
    assert [("books-full", "51001")] == [(event.channel, event.found) for event in talk.events("refused")]
    assert [] == [step for step in talk.after(60).hear(b"", reply_to=WAKE) if isinstance(step, Fetch)]


def test_a_venue_that_is_offline_for_a_while_refuses_no_symbol():
    talk = Talk()
    fetches = begin(talk)
    with pytest.raises(BadAnswer):
        talk.hear(answer(code="50005", msg="API is offline or unavailable"), reply_to=fetches[0].key, status=410)

    assert [] == talk.events("refused")


def test_as_many_symbols_as_the_budget_holds_take_half_of_the_narrowest_limit_of_the_venue():
    budget = of_program("okx_ingester").budget
    weights = {fetch.key.partition(":")[0]: fetch.weight for fetch in begin(Talk())}

    assert 2 == budget.window_s
    assert 5 == budget.weight // sum(weights.values())  # cycles: tickers 20, books and candles 40
    assert 5 == budget.weight // weights["books-full"]  # of 10, also where the rest of a cycle has not been asked for
    assert budget.weight // HISTORY_WEIGHT <= 20  # pages of history-trades


def test_a_candle_that_was_asked_for_does_not_open_one_that_has_closed_meanwhile():
    talk = Talk()
    fetches = begin(talk)
    talk.hear(push("candle1m", [*CANDLES[0][:-1], "1"]), wire="business")
    for fetch in fetches:
        talk.hear(body(fetch.key.partition(":")[0], talk.now_ns), reply_to=fetch.key)

    assert [("1786538760000", True), ("1786538700000", True)] == [
        (str(bar.open_ns // MS_NS), bar.is_closed) for bar in talk.records(Bar)
    ]


def arguments(steps):
    """Return (socket, what, channel, symbol) of every subscription."""
    told = [(step.wire, json.loads(step.payload)) for step in steps if isinstance(step, Send)]
    return {(wire, one["op"], arg["channel"], arg["instId"]) for wire, one in told for arg in one["args"]}


def test_a_chosen_symbol_is_subscribed_on_the_living_sockets_and_the_old_one_unsubscribed():
    talk = Talk()
    talk.hear(book((-1, 10), bids=[("1", "1")]))
    steps = choose(talk, "ETH-USDT")
    public, business = ("books", "bbo-tbt", "tickers"), ("trades-all", "candle1m")

    assert {("public", "unsubscribe", channel, SYMBOL) for channel in public} | {
        ("business", "unsubscribe", channel, SYMBOL) for channel in business
    } | {("public", "subscribe", channel, "ETH-USDT") for channel in public} | {
        ("business", "subscribe", channel, "ETH-USDT") for channel in business
    } == arguments(steps)
    assert [] == [step for step in steps if isinstance(step, Dial)]


def test_what_still_comes_of_a_symbol_that_is_not_wanted_is_left_out_and_its_return_is_no_gap():
    talk = Talk()
    talk.hear(trade(10))
    choose(talk, "ETH-USDT")
    late = [talk.hear(payload) for payload in (trade(11), book((-1, 10), bids=[("1", "1")]))]
    choose(talk, SYMBOL)
    back = talk.hear(trade(50))

    assert [[], []] == late
    assert ["50"] == [step.trade_id for step in back]


def test_the_grid_follows_the_choice():
    talk = Talk(okx_books_full_interval_s=60)
    choose(talk, "A-USDT", "B-USDT", "C-USDT")
    began = walk(talk, 600, key="books-full@1")

    assert Counter({"A-USDT": 10, "B-USDT": 10, "C-USDT": 10}).keys() == began.keys()
    assert {0, 20, 40} == {round(times[0] / SECOND_NS) % 60 for times in began.values()}


def test_more_symbols_than_a_socket_takes_get_sockets_of_their_own_one_after_the_other():
    symbols = tuple(f"S{n}-USDT" for n in range(70))
    talk = Talk(okx_symbols=symbols)
    wakes = [step for step in talk.opening if isinstance(step, Wake) and step.key.startswith("dial:")]
    dialled = [talk.hear(b"", reply_to=wake.key) for wake in wakes]
    subscribed = [talk.hear(b"", reply_to=wake.key) for _, wake in dialled]

    assert ["business", "public"] == [step.wire for step in talk.opening if isinstance(step, Dial)]
    assert [("dial:public1", 0.5), ("dial:public2", 1.0)] == [(wake.key, wake.after_s) for wake in wakes]
    told = arguments(talk.opening) | {arg for steps in subscribed for arg in arguments(steps)}
    assert {30: 2, 10: 1} == Counter(Counter(wire for wire, _, channel, _ in told if channel == "books").values())


def test_a_socket_that_only_says_pong_is_mute():
    talk = Talk(okx_mute_s=100)
    for seconds in (0, 50, 49):
        talk.after(seconds).hear(b"pong")
        talk.hear(trade(int(talk.now_ns // SECOND_NS)), wire="business")
        talk.hear(b"", reply_to="tend")
    with pytest.raises(WireLost) as lost:
        talk.after(60).hear(b"", reply_to="tend")

    assert "okx: public: no data for 100 s" == str(lost.value)


def test_both_sockets_are_dialled_at_once_and_say_ping_before_the_venue_hangs_up():
    dials = [step for step in Talk().opening if isinstance(step, Dial)]

    assert {"business": "wss://ws.okx.com/ws/v5/business", "public": "wss://ws.okx.com/ws/v5/public"} == {
        dial.wire: dial.url for dial in dials
    }
    assert all(dial.keep_alive.payload == b"ping" and dial.keep_alive.every_s < 30 for dial in dials)


@pytest.mark.parametrize("interval", ["4H", "12H", "1D", "1M", "6Hutc", "1Wutc", "3Mutc"])
def test_candles_of_every_documented_interval_are_stored_as_they_come(interval):
    talk = Talk()
    talk.hear(push(f"candle{interval}", CANDLES[1]))

    assert [interval] == [bar.interval for bar in talk.records(Bar)]
    assert [] == talk.records(DeadLetter)
