"""Trades and bars of Alpaca by hand: what is missing of a stretch, once, whatever is asked and killed."""

import json

import msgspec
import pytest

from common.errors import BadAnswer
from common.records import Bar, FeedEvent, Trade, TradeCorrection
from common.wishes import Wish, digest, packed, standing_key, wish_id
from ingesters.feed import Checkpoint, Fetch, Forget, Recall
from ingesters.venues.alpaca_records import trade_id
from ingesters.venues.alpaca_time import rfc3339
from tests.alpaca_kit import NOON_NS, SECOND_NS, Talk, row, trade

PROGRAM = "alpaca_stocks_ingester"
KEY = f"backfill:{PROGRAM}"
MINUTE_NS = 60 * SECOND_NS
FROM_NS = NOON_NS - 10 * MINUTE_NS
SEEN_NS = NOON_NS + SECOND_NS


def at(number):
    return FROM_NS + number * SECOND_NS


def name(number):
    return f"AAPL {trade_id('V', number, at(number))} {at(number)}"


def wish(standing=(), **changes):
    span = FROM_NS, FROM_NS + 5 * MINUTE_NS
    facts = {"below": NOON_NS - MINUTE_NS, "names": len(standing), "seen_ns": SEEN_NS} | changes
    return Wish(wish_id("AAPL", *span), "AAPL", *span, **facts)


def ask(talk, wanted, standing=()):
    """Let a connection hear of a wish and of what stands in its stretch; return what it does about it."""
    steps = talk.hear(wanted.word.encode(), reply_to=KEY)
    assert not standing or standing_key(PROGRAM, wanted.id) in [one.key for one in steps if isinstance(one, Recall)]
    words = "\n".join(packed(digest(name(number)) for number in standing))
    return talk.hear(words.encode(), SEEN_NS, reply_to=standing_key(PROGRAM, wanted.id))


def bar(minute):
    return {"t": rfc3339(FROM_NS + minute * MINUTE_NS), "o": 1, "h": 2, "l": 1, "c": 2, "v": 10, "n": 3, "vw": 1.5}


def bars(*minutes, token=None):
    return {"bars": {"AAPL": [bar(minute) for minute in minutes]} if minutes else {}, "next_page_token": token}


def trades(*numbers, token=None, **more):
    return {"trades": {"AAPL": [row(number, at(number), **more) for number in numbers]}, "next_page_token": token}


def urls(steps):
    return [step.url for step in steps if isinstance(step, Fetch)]


def told(talk):
    return [(one.kind, one.found, one.detail) for one in talk.of(FeedEvent) if one.channel == "trades"]


def test_bars_are_asked_for_first_and_then_the_trades_that_do_not_stand():
    talk = Talk().sign_in()
    steps = ask(talk, wish(standing=range(1, 4)), range(1, 4))
    trades_asked = urls(talk.hear(bars(0, 1), SEEN_NS, reply_to="wish:bars"))
    talk.hear(trades(1, 2, 3, 4, 5), SEEN_NS, reply_to="wish")

    assert [True] == ["/v2/stocks/bars?symbols=AAPL&start=2024-08-08T15:50:00" in one for one in urls(steps)]
    assert [True] == ["/v2/stocks/trades?symbols=AAPL&" in one for one in trades_asked]
    assert [("1m", "backfill"), ("1m", "backfill")] == [(one.interval, one.source) for one in talk.of(Bar)]
    assert [("V-20240808-4", "backfill"), ("V-20240808-5", "backfill")] == [
        (one.trade_id, one.source) for one in talk.of(Trade)
    ]
    assert [("backfilled", "2", f"wish {wish().id}")] == told(talk)


def test_pages_are_followed_and_a_kill_between_them_goes_on_at_the_token():
    talk = Talk().sign_in()
    ask(talk, wish())
    talk.hear(bars(0, token="b2"), SEEN_NS, reply_to="wish:bars")
    talk.hear(bars(1), SEEN_NS, reply_to="wish:bars")
    talk.hear(trades(1, 2, token="t2"), SEEN_NS, reply_to="wish")
    again = Talk(talk.state).sign_in()
    (url,) = urls(ask(again, wish()))
    again.hear(trades(3), SEEN_NS, reply_to="wish")

    assert "/trades?" in url
    assert "page_token=t2" in url
    assert ["V-20240808-3"] == again.trade_ids()
    assert [("backfilled", "3", f"wish {wish().id}")] == told(again)


def test_a_wish_that_was_had_is_taken_out_with_what_it_said():
    talk = Talk().sign_in()
    ask(talk, wish())
    talk.hear(bars(), SEEN_NS, reply_to="wish:bars")
    talk.hear(trades(1), SEEN_NS, reply_to="wish")
    steps = talk.hear(wish(names=1).word.encode(), reply_to=KEY)
    forgotten = talk.hear(b"aa bb", reply_to=standing_key(PROGRAM, wish().id))

    assert [(wish(names=1).word,)] == [step.words for step in steps if isinstance(step, Forget)]
    assert [("aa bb",)] == [step.words for step in forgotten if isinstance(step, Forget)]
    assert [] == urls(steps)


def test_what_the_stream_may_still_tell_is_not_asked_for():
    talk = Talk().sign_in()
    ask(talk, wish(below=FROM_NS))

    assert [] == urls(talk.steps)
    assert [("backfilled", "0", f"wish {wish().id}")] == told(talk)


def test_a_wish_waits_for_breaks_of_the_stream_and_is_left_if_it_is_older_than_what_filled_them():
    first = Talk(backfill_max_s=7200).sign_in()
    first.hear([trade(900, NOON_NS)])
    talk = Talk(first.state, backfill_max_s=7200).sign_in(NOON_NS + 30 * MINUTE_NS)
    waiting = ask(talk, wish())
    talk.hear({"trades": {}, "next_page_token": None}, NOON_NS + 31 * MINUTE_NS, reply_to="backfill")
    talk.hear(wish().word.encode(), NOON_NS + 31 * MINUTE_NS, reply_to=KEY)
    renewed = msgspec.structs.replace(wish(seen_ns=NOON_NS + 32 * MINUTE_NS), id="renewed")

    assert [] == urls(waiting)
    assert f"wish {wish().id}: trades of a break are on their way" == told(talk)[-1][2][:49]
    assert 1 == len(urls(ask(talk, renewed)))


def test_what_stands_and_is_not_known_any_more_is_not_fetched_again():
    talk = Talk().sign_in()
    ask(talk, wish(names=5))

    assert [] == urls(talk.steps)
    assert "gap" == told(talk)[-1][0]


def test_a_refusal_is_told_in_the_words_of_the_venue():
    talk = Talk().sign_in()
    ask(talk, wish())
    refused = {"message": "subscription does not permit querying recent SIP data"}
    talk.hear(refused, SEEN_NS, reply_to="wish:bars", status=403)

    assert ("gap", "0", f"wish {wish().id}: HTTP 403: {refused['message']}") == told(talk)[-1]


def test_a_trade_that_was_cancelled_since_comes_with_its_end():
    talk = Talk().sign_in()
    ask(talk, wish())
    talk.hear(bars(), SEEN_NS, reply_to="wish:bars")
    talk.hear(trades(1, u="canceled"), SEEN_NS, reply_to="wish")

    assert ["V-20240808-1"] == [one.trade_id for one in talk.of(TradeCorrection)]


@pytest.mark.parametrize("payload", [b"<html>", b'{"trades":[]}'])
def test_a_page_that_is_none_is_asked_for_again(payload):
    talk = Talk().sign_in()
    ask(talk, wish())
    talk.hear(bars(), SEEN_NS, reply_to="wish:bars")
    with pytest.raises(BadAnswer):
        talk.hear(payload, SEEN_NS, reply_to="wish")
    talk.hear(trades(1), SEEN_NS, reply_to="wish")

    assert ["V-20240808-1"] == talk.trade_ids()


def test_how_far_it_is_stands_where_the_command_looks():
    talk = Talk().sign_in()
    ask(talk, wish())
    talk.hear(bars(), SEEN_NS, reply_to="wish:bars")
    steps = talk.hear(trades(1, 150, token="t2"), SEEN_NS, reply_to="wish")
    (state,) = [step.state for step in steps if isinstance(step, Checkpoint)]
    progress = json.loads(state["alpaca_stocks_wish"])

    assert (300, [[at(150), FROM_NS + 5 * MINUTE_NS + 1]]) == (progress["total"], progress["missing"])
