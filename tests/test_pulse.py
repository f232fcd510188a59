"""Quiet, mute and dead: which silence of a channel is told, and what is done about it."""

import pytest

from ingesters.venues.pulse import Pulse
from tests.faults.venue_kit import recorded
from tests.ingest_kit import redis_of_module, until  # noqa: F401

S = 10**9
TRADES, BOOK = ("trade", "BTC"), ("depth", "BTC")


class Watched:
    """A pulse that looks each second at a book that speaks all the time, and at trades that speak as told."""

    def __init__(self):
        self.pulse = Pulse("plain", {"trade": 10.0, "depth": 10.0})
        self.now_s, self.trades, self.book, self.asked, self.events = 0, None, 0, [], []

    def go(self, until_s, *, trades_at=(), is_book_alive=True):
        for now_s in range(self.now_s, until_s):
            self.book += is_book_alive
            self.trades = now_s if now_s in trades_at else self.trades
            self.events += self.pulse.look({TRADES: self.trades, BOOK: self.book}, now_s * S)
            self.asked += [(now_s, place) for place in self.pulse.mute]
        self.now_s = until_s
        return self

    @property
    def told(self):
        return [(event.kind, event.channel, event.from_ns // S, event.to_ns // S) for event in self.events]


def test_a_channel_that_never_said_a_word_while_others_speak_is_mute():
    watched = Watched().go(15)

    assert [("stale", "trade", 0, 11)] == watched.told
    assert [(11, TRADES)] == watched.asked
    assert "no word so far" in watched.events[0].detail


def test_a_silence_that_is_usual_is_quiet():
    watched = Watched().go(400, trades_at=range(0, 400, 9)).go(480)

    assert [] == watched.told


def test_a_silence_ten_times_as_long_as_any_before_is_mute():
    assert [("stale", "trade", 399, 490)] == Watched().go(500, trades_at=range(3, 400, 9)).told


def test_a_mute_channel_is_asked_for_again_after_ever_longer_pauses():
    assert [11, 32, 73, 154] == [at_s for at_s, _ in Watched().go(200).asked]


def test_a_mute_channel_that_speaks_again_is_told():
    assert ("resync", "trade", 0, 20) == Watched().go(25, trades_at=(20,)).told[-1]


def test_a_night_in_which_all_are_silent_is_no_silence():
    watched = Watched().go(60, trades_at=(1, 9, 20, 30, 40, 50)).go(50_000, is_book_alive=False).go(50_040)

    assert [] == watched.told


def test_when_nothing_speaks_no_channel_is_mute():
    assert [] == Watched().go(5, trades_at=(1,)).go(200, is_book_alive=False).told


@pytest.fixture
def fleet(redis_of_module):  # noqa: F811
    redis_of_module.redis.flushall()
    return redis_of_module


MUTED = {
    "binance": ("btcusdt@depth@100ms", "depth@100ms", {"BINANCE_MUTE_S": 4.0, "BINANCE_SYMBOLS": ["BTCUSDT"]}),
    "okx": ("books:BTC-USDT", "books", {"OKX_MUTE_S": 3.0, "OKX_SYMBOLS": ["BTC-USDT"]}),
}


@pytest.mark.redis
@pytest.mark.timeout(90)
@pytest.mark.parametrize("venue", MUTED)
async def test_a_stream_that_is_muted_on_a_living_socket_is_found_and_subscribed_to_again(fleet, venue):
    match, channel, settings = MUTED[venue]
    async with recorded(fleet, venue, f"{venue}_ingester", **settings) as session:
        await until(session.is_delivering("books"), give_up_s=30)
        session.order("mute", channel="socket", match=match, times=None)
        await until(lambda: kinds(session, channel), {"stale", "resync"}, give_up_s=40, what="found and mended")
        await until(session.is_delivering("books"), give_up_s=30, what="it speaks")
        await session.ingester.stop()

        assert 1 == len(session.events("disconnected")), "that of the end: the socket was not given up"


def kinds(session, channel):
    return {one.kind for one in session.events("stale", "resync") if one.channel == channel}
