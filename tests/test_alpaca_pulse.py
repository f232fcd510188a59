"""A subscription of Alpaca that was confirmed and brings nothing is found, while the market is open."""

import pytest

from common.records import FeedEvent
from ingesters.feed import Wake
from ingesters.venues.alpaca_time import rfc3339_ns
from tests.alpaca_kit import NOON_NS, SECOND_NS, Talk, quote, trade

MUTE_S = 20.0
TWO = {"alpaca_stocks_symbols": "AAPL,SPY", "alpaca_mute_s": MUTE_S}


def watched(at_ns=NOON_NS, *, seconds=120, mute=("quotes", "SPY"), **changes):
    """Return a connection on which every second all is told but what is mute."""
    talk = Talk(**{**TWO, **changes}).sign_in(at_ns)
    for second in range(seconds):
        now_ns = at_ns + second * SECOND_NS
        for symbol in ("AAPL", "SPY"):
            told = {"quotes": quote(now_ns, symbol), "trades": trade(second, now_ns, symbol)}
            talk.hear([one for channel, one in told.items() if (channel, symbol) != mute], now_ns)
        if second % 5 == 0:
            talk.hear(b"", now_ns, reply_to="pulse")
            talk.obey(now_ns)
    return talk


def told(talk):
    return [(one.kind, one.channel, one.symbol) for one in talk.of(FeedEvent) if one.channel in ("quotes", "trades")]


def renewed(talk):
    return [
        (one["action"], channel, one[channel])
        for one in talk.sent
        for channel in ("quotes", "trades")
        if one.get(channel) == ["SPY"]
    ]


def test_a_mute_channel_is_told_and_subscribed_to_anew():
    talk = watched(seconds=40)

    assert [("stale", "quotes", "SPY")] == told(talk)
    assert [("unsubscribe", "quotes", ["SPY"]), ("subscribe", "quotes", ["SPY"])] == renewed(talk)


def test_trades_are_not_left_to_be_subscribed_to_anew():
    talk = watched(mute=("trades", "SPY"))

    assert [("stale", "trades", "SPY")] == told(talk)
    assert {("subscribe", "trades")} == {(action, channel) for action, channel, _ in renewed(talk)}
    assert "SPY" in talk.feed._session.symbols


def test_one_that_speaks_again_is_told():
    talk = watched(seconds=40)
    talk.hear([quote(NOON_NS + 41 * SECOND_NS, "SPY")], NOON_NS + 41 * SECOND_NS)
    talk.hear(b"", NOON_NS + 45 * SECOND_NS, reply_to="pulse")

    assert ("resync", "quotes", "SPY") == told(talk)[-1]


@pytest.mark.parametrize("moment", ["2024-08-08T12:00:00Z", "2024-08-08T20:30:00Z", "2024-08-10T16:00:00Z"])
def test_before_and_after_the_regular_session_silence_says_nothing(moment):
    assert [] == told(watched(rfc3339_ns(moment)))


def test_at_night_where_few_stocks_trade_silence_says_nothing():
    assert [] == told(watched(alpaca_stocks_feed="overnight"))


def test_all_symbols_at_once_are_not_expected_to_speak():
    assert [] == told(watched(alpaca_stocks_symbols="*"))


def test_the_look_goes_on():
    assert 24 == len([step for step in watched().steps if isinstance(step, Wake)]) - 1
