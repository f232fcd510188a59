"""A lost change of a crypto book shows only when the book stays crossed: then it is told, and asked for anew."""

from common.records import BookUpdate, FeedEvent
from ingesters.venues.alpaca_time import rfc3339
from tests.alpaca_kit import NOON_NS, SECOND_NS, Talk


def book(at_s, bids=(), asks=(), *, whole=False):
    sides = {"b": [{"p": p, "s": s} for p, s in bids], "a": [{"p": p, "s": s} for p, s in asks]}
    return {"T": "o", "S": "BTC/USD", "t": rfc3339(at(at_s)), **sides} | ({"r": True} if whole else {})


def at(seconds):
    return NOON_NS + int(seconds * SECOND_NS)


def listening(*messages):
    talk = Talk(is_crypto=True).sign_in()
    for one in messages:
        talk.hear([one])
        talk.obey()
    return talk


WHOLE = book(0, [(100, 1), (99, 1)], [(101, 1), (102, 1)], whole=True)


def told(talk):
    return [(one.kind, one.from_ns, one.to_ns) for one in talk.of(FeedEvent) if one.channel == "orderbooks"]


def renewed(talk):
    return [one["action"] for one in talk.sent if one.get("orderbooks") == ["BTC/USD"] and len(one) == 2]


def test_a_book_that_stays_crossed_is_a_gap_from_its_first_moment_and_is_asked_for_anew():
    talk = listening(WHOLE, book(1, [(101.5, 1)]), book(2.5, [(98, 2)]), book(2.6, [(97, 2)]))

    assert [("gap", at(1), at(2.5))] == told(talk)
    assert ["unsubscribe", "subscribe"] == renewed(talk)
    assert 3 == len(talk.of(BookUpdate)), "what comes behind is not stored until the book is whole"


def test_the_whole_book_that_comes_then_ends_the_gap():
    talk = listening(WHOLE, book(1, [(101.5, 1)]), book(2.5, [(98, 2)]), book(3, [(100, 1)], [(101, 1)], whole=True))

    assert ("resync", at(1), at(3)) == told(talk)[-1]


def test_a_book_that_is_crossed_for_a_moment_is_none():
    moment = [book(1, [(101.5, 1)]), book(1.5, (), [(101, 0)]), book(9, [(98, 1)])]

    assert [] == told(listening(WHOLE, *moment))


def test_levels_that_are_taken_away_do_not_cross():
    assert [] == told(listening(WHOLE, book(1, (), [(101, 0)]), book(2, [(101, 3)]), book(9, [(98, 1)])))


def test_a_venue_whose_book_is_crossed_is_not_asked_all_the_time():
    crossed = book(0, [(103, 1)], [(101, 1)], whole=True)
    talk = listening(crossed, *(one for second in range(2, 50, 2) for one in (book(second, [(98, 1)]), crossed)))

    assert ["unsubscribe", "subscribe"] == renewed(talk)
