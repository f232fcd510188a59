"""Candles of Upstox by hand: each minute that does not stand yet, once, whatever is asked and killed."""

from datetime import UTC, date, datetime

import pytest

from common.wishes import Wish, wish_id
from ingesters.feed import Frame, Resume
from tests.upstox_kit import DAY_NS, MINUTE, OPENING_NS, STOCK, Talk, named, reply, wake

KEY = "backfill:upstox_ingester"
DAYS_AGO = OPENING_NS - 3 * DAY_NS
M = DAYS_AGO // MINUTE


def wish(minutes=10, standing=(), from_ns=DAYS_AGO):
    to_ns = from_ns + (minutes - 1) * MINUTE
    name = wish_id(STOCK, from_ns, to_ns)
    return Wish(name, STOCK, from_ns, to_ns, below=OPENING_NS // MINUTE, standing=standing)


def recalled(*wishes, at_ns=OPENING_NS):
    return Frame(at_ns, "\n".join(one.word for one in wishes).encode(), "ours", reply_to=KEY)


def row(minute):
    return [datetime.fromtimestamp(minute * 60, UTC).isoformat(), 10.0, 11.0, 9.0, 10.5, 100, 0]


def page(*minutes, status=200):
    body = {"data": {"candles": [row(minute) for minute in sorted(minutes, reverse=True)]}}
    return reply("wish", body, status=status)


def minutes_of(steps):
    return [bar.open_ns // MINUTE for bar in named("Bar", steps)]


def checkpoint(steps):
    return named("Checkpoint", steps)[-1].state


def test_a_wish_is_asked_for_with_the_token_and_told_when_it_is_had():
    talk = Talk().connected()
    (question,) = named("Fetch", talk.hear(recalled(wish())))
    steps = talk.hear(page(*range(M, M + 10)))

    assert "/v3/historical-candle/NSE_EQ%7CINE000A00001/minutes/1/2024-08-06/2024-08-06" in question.url
    assert ("Authorization", "Bearer secret") in question.headers
    assert list(range(M, M + 10)) == minutes_of(steps)
    (event,) = named("FeedEvent", steps)
    assert ("backfilled", "10") == (event.kind, event.found)
    assert f"wish {wish().id}" in event.detail


def test_minutes_that_stand_and_those_outside_are_left_out():
    talk = Talk().connected()
    talk.hear(recalled(wish(standing=((M, M + 4), (M + 6, M + 8)))))

    assert [M + 4, M + 5, M + 8, M + 9] == minutes_of(talk.hear(page(*range(M - 5, M + 20))))


def test_a_wish_that_was_had_is_taken_out_of_the_set_and_not_asked_again():
    talk = Talk().connected()
    talk.hear(recalled(wish()), page(M))
    steps = talk.hear(recalled(wish(), at_ns=OPENING_NS + MINUTE))

    assert [(wish().word,)] == [step.words for step in named("Forget", steps)]
    assert [] == named("Fetch", steps)


def test_a_long_wish_is_asked_for_a_month_at_a_time_and_goes_on_after_a_kill():
    long = wish(minutes=40 * 24 * 60, from_ns=OPENING_NS - 50 * DAY_NS)
    talk = Talk().connected()
    talk.hear(recalled(long))
    steps = talk.hear(page(long.from_ns // MINUTE))
    state = checkpoint(steps)
    again = Talk(Resume(state=state)).connected()

    assert ["/2024-07-30/2024-07-20"] == [step.url.partition("minutes/1")[2] for step in named("Fetch", steps)]
    assert named("Fetch", steps)[0].url == named("Fetch", again.hear(recalled(long)))[0].url


def test_a_token_that_died_meanwhile_leaves_the_wish_where_it_is():
    talk = Talk().connected()
    talk.hear(recalled(wish()), page(status=401))

    assert [] == named("Fetch", talk.hear(recalled(wish(), at_ns=OPENING_NS + MINUTE // 2)))
    assert 1 == len(named("Fetch", talk.hear(recalled(wish(), at_ns=OPENING_NS + 2 * MINUTE))))


def test_what_the_venue_refuses_is_told_as_a_gap_with_its_words():
    talk = Talk().connected()
    talk.hear(recalled(wish()))
    refused = {"errors": [{"errorCode": "UDAPI1148", "message": "Invalid date range"}]}
    (event,) = named("FeedEvent", talk.hear(reply("wish", refused, status=400)))

    assert "gap" == event.kind
    assert "UDAPI1148 Invalid date range" in event.detail


def test_the_history_of_the_settings_is_fetched_once():
    settings = {"upstox_history_from": date(2024, 8, 9)}
    talk = Talk(**settings).connected()
    (question,) = named("Fetch", talk.hear(recalled()))
    steps = talk.hear(page(OPENING_NS // MINUTE - 1))
    again = Talk(Resume(state=checkpoint(steps)), **settings).connected()

    assert "/intraday/" in question.url
    assert [OPENING_NS // MINUTE - 1] == minutes_of(steps)
    assert [] == named("Fetch", again.hear(recalled()))


def test_no_wish_is_looked_into_before_there_is_a_session():
    assert [] == [step for step in Talk().opened if getattr(step, "key", "") == KEY]


@pytest.mark.parametrize("frame", [reply("wish", b"<html>"), wake("look", OPENING_NS)])
def test_an_answer_that_nobody_waits_for_is_nothing(frame):
    assert [] == named("Bar", Talk().connected().hear(frame))
