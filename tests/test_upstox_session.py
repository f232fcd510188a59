"""A connection to Upstox: subscriptions that get no answer, silence that means something, symbols that change."""

import json

import pytest

from common.errors import WireError, WireLost
from common.records import Ticker
from ingesters.feed import Frame, Resume
from ingesters.venues import upstox_pb2 as pb
from tests.upstox_kit import (
    HOUR,
    INDEX,
    MINUTE,
    MS,
    OPENING_NS,
    OPTION,
    STOCK,
    S,
    Talk,
    named,
    reply,
    status_frame,
    tick_frame,
)

OPEN = status_frame(OPENING_NS, NSE_EQ="NORMAL_OPEN", NSE_INDEX="NORMAL_OPEN")


def requests(steps):
    return [(sent["method"], sent["data"]["instrumentKeys"]) for sent in map(body, named("Send", steps))]


def body(send):
    assert send.is_binary
    return json.loads(send.payload)


def refusals(steps):
    return [event.symbol for event in named("FeedEvent", steps) if event.kind == "refused"]


def chosen(*symbols):
    return reply("symbols:upstox_ingester", "\n".join(symbols).encode())


def silent(talk, from_ns, seconds):
    """Look every five seconds, as the loop does."""
    for second in range(0, seconds, 5):
        talk.look(from_ns + second * S)


def test_silence_while_a_market_of_ours_is_open_is_a_dead_connection():
    talk = Talk().connected()
    talk.hear(OPEN, tick_frame(OPENING_NS + S))
    with pytest.raises(WireLost) as caught:
        silent(talk, OPENING_NS + S, 120)

    assert "nothing came for 70 s from a market that is open" in str(caught.value)


def test_a_silent_socket_is_asked_before_it_is_given_up():
    talk = Talk().connected()
    talk.hear(OPEN, tick_frame(OPENING_NS + S))
    probe = talk.look(OPENING_NS + 62 * S)
    talk.hear(tick_frame(OPENING_NS + 63 * S))

    assert [("sub", [STOCK])] == requests(probe)
    silent(talk, OPENING_NS + 64 * S, 60)


@pytest.mark.parametrize("word", ["NORMAL_CLOSE", "CLOSING_END", "PRE_OPEN_START"])
def test_a_quiet_night_is_no_dead_connection(word):
    talk = Talk().connected()
    talk.hear(OPEN, tick_frame(OPENING_NS + S), status_frame(OPENING_NS + 2 * S, NSE_EQ=word))

    silent(talk, OPENING_NS, 3600)


def test_another_market_that_is_open_makes_no_silence_suspicious():
    talk = Talk().connected()
    talk.hear(status_frame(OPENING_NS, NSE_EQ="NORMAL_CLOSE", MCX_FO="NORMAL_OPEN"), tick_frame(OPENING_NS + S))

    silent(talk, OPENING_NS, 3600)


def test_a_socket_that_never_says_a_word_is_dialled_again_whatever_the_hour():
    talk = Talk().connected()

    with pytest.raises(WireLost):
        silent(talk, OPENING_NS, 120)


def test_ticks_that_waited_behind_a_look_are_no_silence():
    talk = Talk().connected()
    talk.hear(OPEN, tick_frame(OPENING_NS + S))
    talk.look(OPENING_NS + 2 * MINUTE)
    talk.hear(tick_frame(OPENING_NS + 2 * MINUTE - S))

    talk.look(OPENING_NS + 2 * MINUTE + 5 * S)


def test_keys_that_were_not_heard_are_asked_for_once_more_and_then_told():
    talk = Talk(upstox_instrument_keys=(STOCK, "NSE_EQ|NOBODY")).connected()
    talk.hear(OPEN, tick_frame(OPENING_NS + S))
    early, again = talk.look(OPENING_NS + 20 * S), talk.look(OPENING_NS + 31 * S)
    talk.hear(tick_frame(OPENING_NS + 60 * S))
    told, later = talk.look(OPENING_NS + 62 * S), talk.look(OPENING_NS + 100 * S)

    assert ([], []) == (early, later)
    assert [("sub", ["NSE_EQ|NOBODY"])] == requests(again)
    assert ["NSE_EQ|NOBODY"] == refusals(told)


def test_what_the_venue_would_ignore_in_silence_is_told_at_once():
    keys = tuple(f"NSE_EQ|{number}" for number in range(2003))
    talk = Talk(upstox_instrument_keys=keys)
    steps = talk.hear(reply("authorize", {"data": {"authorized_redirect_uri": "wss://feeds.test/feeds?code=abc"}}))

    assert 2000 == len(requests(steps)[0][1])
    assert list(keys[2000:]) == refusals(steps)


def test_more_keys_than_one_connection_takes_go_to_another_with_a_permission_of_its_own():
    keys = tuple(f"NSE_EQ|{number}" for number in range(2003))
    talk = Talk(upstox_instrument_keys=keys, upstox_connections=2)
    place = {"data": {"authorized_redirect_uri": "wss://feeds.test/feeds?code=abc"}}
    first = talk.hear(reply("authorize", place))
    second = talk.hear(reply("authorize", place))
    gone = talk.hear(chosen(*keys[:2002]))

    assert ["authorize"] == [fetch.key for fetch in named("Fetch", first)]
    assert [("more1", list(keys[2000:]))] == [(send.wire, body(send)["data"]["instrumentKeys"]) for send in second[1:]]
    assert [] == refusals(first + second)
    assert [("more1", "unsub")] == [(send.wire, body(send)["method"]) for send in named("Send", gone)]


def test_a_symbol_that_comes_back_goes_on_where_it_was():
    talk = Talk(upstox_instrument_keys=(STOCK, OPTION)).connected()
    talk.hear(OPEN, tick_frame(OPENING_NS + S))
    talk.hear(chosen(OPTION), chosen(STOCK, OPTION))
    steps = talk.hear(tick_frame(OPENING_NS + 90 * S))

    assert [] == named("FeedEvent", steps)
    assert [] == refusals(talk.look(OPENING_NS + 95 * S))


def test_symbols_change_on_the_living_socket():
    talk = Talk(upstox_instrument_keys=(STOCK, INDEX)).connected()
    steps = talk.hear(chosen(STOCK, OPTION))

    assert [("unsub", [INDEX]), ("sub", [OPTION])] == requests(steps)


def test_symbols_chosen_before_the_socket_stands_are_what_is_subscribed_to():
    talk = Talk()
    early = talk.hear(chosen(OPTION))
    steps = talk.hear(reply("authorize", {"data": {"authorized_redirect_uri": "wss://feeds.test/feeds?code=abc"}}))

    assert [] == requests(early)
    assert [("sub", [OPTION])] == requests(steps)


@pytest.mark.parametrize("mode", ["ltpc", "full", "option_greeks", "full_d30"])
def test_the_mode_is_the_settings(mode):
    talk = Talk(upstox_mode=mode)
    steps = talk.hear(reply("authorize", {"data": {"authorized_redirect_uri": "wss://feeds.test/feeds?code=abc"}}))

    assert [mode] == [body(send)["data"]["mode"] for send in named("Send", steps)]


def test_a_night_without_trades_is_no_gap():
    last_ns = OPENING_NS - 15 * HOUR
    resume = Resume(marks={("tickers", STOCK): last_ns // MS})
    talk = Talk(resume).connected()
    steps = talk.hear(tick_frame(OPENING_NS, traded_ns=last_ns - S))

    assert [] == named("FeedEvent", steps)


def test_a_stretch_with_trades_is_a_gap_that_is_asked_for_with_the_token():
    resume = Resume(marks={("tickers", STOCK): (OPENING_NS + S) // MS})
    talk = Talk(resume).connected()
    steps = talk.hear(tick_frame(OPENING_NS + 5 * MINUTE))

    assert ["gap"] == [event.kind for event in named("FeedEvent", steps)]
    assert ["Bearer secret"] == [dict(fetch.headers)["Authorization"] for fetch in named("Fetch", steps)]


def test_a_gap_is_told_even_if_the_first_tick_cannot_be_read():
    talk = Talk(Resume(marks={("tickers", STOCK): OPENING_NS // MS})).connected()
    talk.hear(tick_frame(OPENING_NS + 5 * MINUTE, price=float("nan")))
    steps = talk.hear(tick_frame(OPENING_NS + 6 * MINUTE))

    assert ["gap"] == [event.kind for event in named("FeedEvent", steps)]


def test_candles_that_the_venue_refuses_stay_a_gap_that_says_why():
    resume = Resume(marks={("tickers", STOCK): OPENING_NS // MS})
    talk = Talk(resume).connected()
    talk.hear(tick_frame(OPENING_NS + 5 * MINUTE))
    refused = {"status": "error", "errors": [{"errorCode": "UDAPI100011", "message": "Invalid Instrument key"}]}
    event, checkpoint = talk.hear(reply(f"candles:{STOCK}", refused, status=400))

    assert ("gap", "not filled: HTTP 400: UDAPI100011 Invalid Instrument key") == (event.kind, event.detail)
    assert {STOCK: OPENING_NS + 5 * MINUTE} == json.loads(checkpoint.state["upstox_filled"])


def test_after_a_restart_only_what_is_not_filled_is_asked_for():
    day = 24 * HOUR
    missed = {STOCK: [OPENING_NS - day, OPENING_NS], OPTION: [OPENING_NS - HOUR, OPENING_NS]}
    filled = {STOCK: OPENING_NS - 10 * HOUR, OPTION: OPENING_NS}
    state = {"upstox_missed": json.dumps(missed), "upstox_filled": json.dumps(filled)}
    steps = Talk(Resume(state=state)).hear(
        reply("authorize", {"data": {"authorized_redirect_uri": "wss://feeds.test/?code=abc"}})
    )

    (asked,) = named("Fetch", steps)
    assert asked.url.endswith("/NSE_EQ%7CINE000A00001/minutes/1/2024-08-08/2024-08-08")


def test_candles_that_a_dead_token_could_not_get_are_asked_for_with_the_next_one():
    resume = Resume(marks={("tickers", STOCK): OPENING_NS // MS})
    talk = Talk(resume).connected()
    (left_open,) = named("Checkpoint", talk.hear(tick_frame(OPENING_NS + 5 * MINUTE)))
    answered = talk.hear(reply(f"candles:{STOCK}", {}, status=401))
    next_one = Talk(Resume(state=left_open.state))
    steps = next_one.hear(reply("authorize", {"data": {"authorized_redirect_uri": "wss://feeds.test/?code=abc"}}))

    assert [] == answered
    assert [f"candles:{STOCK}"] == [fetch.key for fetch in named("Fetch", steps)]


def test_a_time_that_is_not_told_runs_not_backwards():
    talk = Talk().connected()
    talk.hear(tick_frame(OPENING_NS))
    steps = talk.hear(tick_frame(OPENING_NS + S, price=100.55, traded_ns=0))

    assert [] == named("FeedEvent", steps)


@pytest.mark.parametrize("garbage", [b"{\x00 this is no JSON", b"<html>", b"\x08"])
def test_garbage_between_ticks_costs_nothing_but_itself(garbage):
    talk = Talk().connected()
    talk.hear(tick_frame(OPENING_NS))
    with pytest.raises(WireError):
        talk.hear(Frame(OPENING_NS + S, garbage))

    assert ["100.55"] == [tick.last_price for tick in named("Ticker", talk.hear(tick_frame(OPENING_NS, price=100.55)))]


def test_a_tick_is_told_again_whole_after_one_that_could_not_be_read():
    talk = Talk().connected()
    talk.hear(tick_frame(OPENING_NS))
    bad = talk.hear(tick_frame(OPENING_NS + S, price=float("nan")))
    good = talk.hear(tick_frame(OPENING_NS + 2 * S))

    assert ["DeadLetter"] == [type(step).__name__ for step in bad]
    assert ["100.5"] == [step.last_price for step in good if isinstance(step, Ticker)]


def test_a_tick_that_says_nothing_is_set_aside_and_no_repeat():
    empty = pb.FeedResponse(feeds={STOCK: pb.Feed()}, currentTs=OPENING_NS // MS).SerializeToString()
    talk = Talk().connected()

    assert ["DeadLetter"] == [type(step).__name__ for step in talk.hear(Frame(OPENING_NS, empty))]
