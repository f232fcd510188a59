"""Signing in, subscribing, and what a connection does when the venue says no."""

import asyncio
import json

import pytest

from common.errors import FeedRefused, WireLost
from common.records import FeedEvent
from common.streams import symbols_key
from ingesters.feed import Dial, Frame, Recall
from ingesters.registry import of_program
from tests.alpaca_kit import GREETING, NOON_NS, SECOND_NS, WELCOME, Talk, settings, trade
from tests.ingest_kit import redis_of_module, running, until, venue_socket  # noqa: F401  a fixture

STOCKS, CRYPTO = "alpaca_stocks_ingester", "alpaca_crypto_ingester"


def choose(talk, *symbols):
    """Let the feed hear which symbols an operator has chosen."""
    talk.hear("\n".join(symbols).encode(), reply_to=symbols_key(STOCKS))
    talk.obey()


def asked(talk, action):
    return [
        (name, symbol)
        for command in talk.sent
        if command["action"] == action
        for name, symbols in command.items()
        if name != "action"
        for symbol in symbols
    ]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        ("iex", "wss://stream.data.alpaca.markets/v2/iex"),
        ("delayed_sip", "wss://stream.data.alpaca.markets/v2/delayed_sip"),
        ("overnight", "wss://stream.data.alpaca.markets/v1beta1/overnight"),
        ("test", "wss://stream.data.alpaca.markets/v2/test"),
    ],
)
def test_each_feed_has_its_address(feed, expected):
    assert [expected] == [step.url for step in Talk(alpaca_stocks_feed=feed).opened if isinstance(step, Dial)]


def test_crypto_is_alpacas_own():
    assert "wss://stream.data.alpaca.markets/v1beta3/crypto/us" == Talk(is_crypto=True).opened[0].url


def test_keys_are_sent_after_the_greeting_and_nothing_before():
    talk = Talk()
    before = list(talk.sent)
    talk.hear(GREETING)

    assert [] == before
    assert [{"action": "auth", "key": "key", "secret": "secret"}] == talk.sent


def test_nothing_is_subscribed_to_before_the_welcome():
    talk = Talk()
    talk.hear(GREETING)
    waiting = len(talk.sent)
    talk.hear(WELCOME)

    assert 1 == waiting
    assert {"trades": ["AAPL"], "quotes": ["AAPL"], "bars": ["AAPL"]}.items() <= talk.sent[1].items()


def test_the_test_stream_is_asked_for_nothing_that_it_does_not_have():
    talk = Talk(alpaca_stocks_feed="test").sign_in()

    assert {"trades", "quotes", "bars"} == {name for name, _ in asked(talk, "subscribe")}


def test_many_symbols_are_asked_for_a_hundred_at_a_time():
    symbols = [f"S{number}" for number in range(250)]
    talk = Talk(alpaca_stocks_symbols=",".join(symbols)).sign_in()
    chunks = [command["trades"] for command in talk.sent if "trades" in command]

    assert [100, 100, 50] == [len(chunk) for chunk in chunks]
    assert symbols == [symbol for chunk in chunks for symbol in chunk]


def test_a_symbol_chosen_while_running_is_subscribed_to_on_every_channel():
    talk = Talk().sign_in()
    choose(talk, "AAPL", "TSLA")

    channels = {"trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances"}
    assert channels == {name for name, symbol in asked(talk, "subscribe") if symbol == "TSLA"}
    assert [] == asked(talk, "unsubscribe")


def test_a_symbol_no_longer_chosen_is_left():
    talk = Talk().sign_in()
    choose(talk, "TSLA")

    assert ("trades", "AAPL") in asked(talk, "unsubscribe")
    assert ("trades", "TSLA") in asked(talk, "subscribe")


def test_what_was_chosen_is_listened_to_at_once_on_the_next_connection():
    first = Talk().sign_in()
    choose(first, "TSLA")
    first.hear([trade(1, NOON_NS, "TSLA")])
    second = Talk(first.state).sign_in(NOON_NS + 60 * SECOND_NS)
    gaps = {event.symbol for event in second.of(FeedEvent) if event.kind == "gap"}
    choose(second, "TSLA")

    assert [["AAPL"], ["TSLA"]] == [command["trades"] for command in second.sent if "trades" in command][:2]
    assert {"TSLA"} == gaps
    assert ("trades", "AAPL") in asked(second, "unsubscribe")
    assert ("trades", "TSLA") not in asked(second, "unsubscribe")


def test_what_is_not_chosen_any_more_is_left_soon_after_a_restart():
    first = Talk().sign_in()
    choose(first, "TSLA")
    first.hear([trade(1, NOON_NS, "TSLA")])
    second = Talk(first.state).sign_in(NOON_NS + 60 * SECOND_NS)
    second.hear(b"", NOON_NS + 63 * SECOND_NS, reply_to=symbols_key(STOCKS))
    second.obey()

    assert ("trades", "TSLA") in asked(second, "unsubscribe")
    assert ("trades", "AAPL") not in asked(second, "unsubscribe")


def test_the_choice_is_asked_for_again_and_again():
    talk = Talk().sign_in()
    steps = talk.hear(b"", reply_to=symbols_key(STOCKS))

    assert [symbols_key(STOCKS)] == [step.key for step in steps if isinstance(step, Recall)]


def test_a_chosen_symbol_that_the_venue_does_not_know_leaves_the_others_alone():
    talk = Talk().sign_in()
    talk.hear(b"AAPL\nno such", reply_to=symbols_key(STOCKS))
    talk.hear([{"T": "error", "code": 400, "msg": "invalid syntax"}])
    talk.obey()

    assert "400 invalid syntax, to subscribe trades, quotes, bars of no such" == talk.of(FeedEvent)[0].detail
    assert ("no such" in talk.state["alpaca_stocks_heard"]) is False


def test_what_a_plan_does_not_allow_is_told_and_the_rest_recorded():
    symbols = ",".join(f"S{number}" for number in range(8))
    talk = Talk(alpaca_stocks_symbols=symbols)
    talk.hear(GREETING)
    talk.hear(WELCOME)
    for _ in range(2):
        talk.hear([{"T": "error", "code": 405, "msg": "symbol limit exceeded"}])
    talk.sent = [talk.sent[0], talk.sent[-1]]
    talk.obey()

    assert [["S0", "S1"]] == [command["trades"] for command in talk.sent if "trades" in command]
    assert all(command["statuses"] == ["S0", "S1"] for command in talk.sent if "statuses" in command)
    assert ["refused", "refused"] == [event.kind for event in talk.of(FeedEvent)]


@pytest.mark.parametrize("code", [402, 409, 411])
def test_what_only_a_person_can_mend_stops_the_program(code):
    talk = Talk()
    talk.hear(GREETING)

    with pytest.raises(FeedRefused, match=str(code)):
        talk.hear([{"T": "error", "code": code, "msg": "no"}])


@pytest.mark.parametrize("code", [401, 404, 406, 407, 500])
def test_what_may_pass_is_tried_again_on_a_new_connection(code):
    talk = Talk()
    talk.hear(GREETING)

    with pytest.raises(WireLost, match=str(code)):
        talk.hear([{"T": "error", "code": code, "msg": "later"}])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"alpaca_stocks_enabled": False}, "ALPACA_STOCKS_ENABLED=false"),
        ({"alpaca_api_key": None}, "set ALPACA_API_KEY"),
        ({"alpaca_secret_key": None}, "set ALPACA_SECRET_KEY"),
        ({"alpaca_api_key": None, "alpaca_secret_key": None}, "set ALPACA_API_KEY and ALPACA_SECRET_KEY"),
    ],
)
def test_a_program_runs_when_both_keys_are_set(changes, expected):
    assert expected == of_program(STOCKS).why_disabled(settings(**changes))


def test_each_market_is_switched_by_itself():
    only_stocks = settings(alpaca_crypto_enabled=False)

    assert (None, "ALPACA_CRYPTO_ENABLED=false") == tuple(
        of_program(program).why_disabled(only_stocks) for program in (STOCKS, CRYPTO)
    )


def test_a_recording_is_repeated_whole_and_stored_once():
    told = [trade(number, (1_381_132_800 + number) * SECOND_NS) for number in range(6)]
    first = Talk().sign_in()
    for one in told[:3]:
        first.hear([one])
    second = Talk(first.state).sign_in()
    for one in told:
        second.hear([one])

    assert ["V-20131007-3", "V-20131007-4", "V-20131007-5"] == second.trade_ids()
    assert [] == second.of(FeedEvent)


def test_a_trade_that_comes_hours_late_is_stored():
    first = Talk().sign_in()
    first.hear([trade(1, NOON_NS)])
    second = Talk(first.state).sign_in(NOON_NS + 5 * SECOND_NS)
    second.hear([trade(2, NOON_NS - 7200 * SECOND_NS)], NOON_NS + 6 * SECOND_NS)

    assert ["V-20240808-2"] == second.trade_ids()


def test_nothing_is_yielded_before_all_of_a_frame_is_understood():
    talk = Talk().sign_in()

    assert [] == [step for step in talk.feed.receive(Frame(NOON_NS, b"[]")) if not isinstance(step, FeedEvent)]


class Scripted:
    """A venue that greets, then says one thing; it keeps when it was dialled."""

    def __init__(self, said):
        self.said = said
        self.dialled_s = []

    async def talk(self, socket):
        self.dialled_s.append(asyncio.get_running_loop().time())
        await socket.send(GREETING.decode())
        await socket.recv()
        await socket.send(json.dumps([self.said]))
        await socket.wait_closed()


@pytest.mark.redis
async def test_a_connection_limit_is_waited_for_and_never_stormed(redis_of_module):  # noqa: F811  the fixture
    venue = Scripted({"T": "error", "code": 406, "msg": "connection limit exceeded"})
    async with venue_socket(venue.talk) as url, running(redis_of_module, STOCKS, environment(url)) as one:
        await until(lambda: len(venue.dialled_s) >= 4, what="dialled again")
        counted = one.figures["reconnects_total"]
    pauses = [later - earlier for earlier, later in zip(venue.dialled_s, venue.dialled_s[1:], strict=False)]

    assert counted >= 3
    assert pauses[0] >= 0.25
    assert pauses[2] >= 1.0


@pytest.mark.redis
async def test_bad_keys_stop_the_program(redis_of_module):  # noqa: F811  the fixture
    venue = Scripted({"T": "error", "code": 402, "msg": "auth failed"})
    async with venue_socket(venue.talk) as url, running(redis_of_module, STOCKS, environment(url)) as one:
        with pytest.raises(FeedRefused, match="402 auth failed"):
            await asyncio.wait_for(asyncio.shield(one.ended), 10)

    assert 1 == len(venue.dialled_s)


def environment(url):
    return {"ALPACA_WS_URL": url.rstrip("/"), "ALPACA_API_KEY": "key", "ALPACA_SECRET_KEY": "secret"}
