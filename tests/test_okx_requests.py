"""Requests that OKX refuses because there were too many: kept, sent again after a pause, and never a storm."""

import json

import pytest

from common.clock import NS_PER_S
from ingesters.feed import Send, Wake
from ingesters.venues.okx_requests import AGAIN
from simulator.limits import Limits
from simulator.venues.okx_listener import PUBLIC, Desk, Listener
from tests.okx_kit import SYMBOL, Talk, book, choose

OTHER, THIRD = "ETH-USDT", "SOL-USDT"
CHANNELS = ("books", "bbo-tbt", "tickers")
PUBLIC_AGAIN = f"{AGAIN}{PUBLIC}"


class Wire:
    """The simulator's end of a socket, of which a desk needs no more."""

    def subscribed(self, subject):
        """Nothing was mute."""


class Venue:
    """The simulator's own desk at the public socket."""

    def __init__(self, **limits):
        self.listener = Listener(Wire(), PUBLIC, lambda message: message)
        self.desk = Desk(self.listener, lambda _channel, _symbol: True, Limits(**limits), is_free=False)

    def obey(self, talk, steps):
        """Carry out what a feed sends, let it hear the answers; return what it says to those."""
        sent = [step for step in steps if isinstance(step, Send) and step.wire == PUBLIC]
        answers = [answer for step in sent for answer in self.desk.answer(step.payload)]
        return [said for answer in answers for said in talk.hear(answer)]


def asked(steps):
    """Return (operation, channel, symbol) of every argument sent on the public socket, in order."""
    told = [json.loads(step.payload) for step in steps if isinstance(step, Send) and step.wire == PUBLIC]
    return [(one["op"], arg["channel"], arg["instId"]) for one in told for arg in one["args"]]


def pauses(steps):
    return [step.after_s for step in steps if isinstance(step, Wake) and step.key == PUBLIC_AGAIN]


def refuse(talk, steps):
    """Let a feed hear that each of its requests is one too many; return what it says to that."""
    numbers = [json.loads(one.payload)["id"] for one in steps if isinstance(one, Send) and one.wire == PUBLIC]
    told = {"event": "error", "code": "60014", "msg": "Requests too frequent.", "connId": "a4d3ae55"}
    return [said for number in numbers for said in talk.hear(json.dumps({"id": number, **told}).encode())]


@pytest.fixture
def talk():
    return Talk()


async def test_a_refused_subscription_is_sent_again_when_the_venue_takes_requests_again(talk):
    venue = Venue(okx_operations_per_hour=2, okx_hour_s=0.2)
    venue.obey(talk, talk.opening)
    said = venue.obey(talk, choose(talk, OTHER))
    refused = set(venue.listener.args)
    await venue.desk._operations.room_below(1)
    again = talk.after(pauses(said)[0]).hear(b"", reply_to=PUBLIC_AGAIN)
    venue.obey(talk, again)

    assert set() == refused
    assert [("subscribe", channel, OTHER) for channel in CHANNELS] == asked(again)
    assert {(channel, OTHER) for channel in CHANNELS} == set(venue.listener.args)
    assert ["refused", "resync"] == [event.kind for event in talk.events() if event.channel == "subscription"]


def test_a_venue_that_goes_on_refusing_is_asked_a_dozen_times_an_hour_and_not_more(talk):
    sent = waiting = 0
    said = refuse(talk, talk.opening)
    for second in range(3600):
        wakes = pauses(said)
        waiting = talk.now_ns + int(wakes[0] * NS_PER_S) if wakes else waiting
        steps = talk.after(1.0).hear(b"", reply_to="tend")
        if talk.now_ns >= waiting:
            steps += talk.hear(b"", reply_to=PUBLIC_AGAIN)
        if second % 60 == 0:
            steps += choose(talk, SYMBOL, *([OTHER] if second % 120 else []))
        said = refuse(talk, steps)
        sent += sum(isinstance(step, Send) and step.wire == PUBLIC for step in steps)

    assert 6 < sent <= 24  # to unsubscribe and to subscribe, each time


def test_what_is_chosen_away_in_the_pause_is_not_subscribed(talk):
    refuse(talk, choose(talk, SYMBOL, OTHER, THIRD))
    during = choose(talk, SYMBOL, THIRD)
    again = talk.hear(b"", reply_to=PUBLIC_AGAIN)

    assert [] == asked(during)
    assert {OTHER: "unsubscribe", THIRD: "subscribe"} == {symbol: operation for operation, _, symbol in asked(again)}


def test_a_book_that_is_to_begin_anew_still_does_so_when_both_requests_were_refused(talk):
    talk.hear(book((-1, 10), bids=[("1", "1")]))
    refuse(talk, talk.hear(book((20, 21), bids=[("1", "2")])))
    again = talk.hear(b"", reply_to=PUBLIC_AGAIN)

    assert [("unsubscribe", "books", SYMBOL), ("subscribe", "books", SYMBOL)] == asked(again)


def test_of_two_sockets_that_are_asked_the_same_one_refusal_counts(talk):
    steps = choose(talk, SYMBOL, OTHER)
    first, second = (pauses(refuse(talk, steps)) for _ in range(2))

    assert ([10.0], []) == (first, second)
