"""What was missed is fetched, and nothing stands twice, wherever a connection ends."""

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.errors import WireError
from common.records import FeedEvent, Trade, TradeCorrection
from ingesters.feed import Fetch
from ingesters.venues.alpaca_backfill import SETTLE_S
from ingesters.venues.alpaca_time import rfc3339_ns
from tests.alpaca_kit import NOON_NS, SECOND_NS, Talk, row, trade

PAGE_ROWS = 2
PAGE_NS = SECOND_NS // 10
LONGEST_DELAY_DS = 20  # a trade is told two seconds late at most
TENTH_NS = SECOND_NS // 10


def query(url):
    return dict(part.split("=", 1) for part in url.partition("?")[2].split("&"))


class SmallVenue:
    """
    Trades at tenths of a second, some told late; `told_ns` is when the socket tells them, by our clock.

    The venue's clock is `ahead_ds` ahead of ours, or behind.
    """

    def __init__(self, trades, ahead_ds=0):
        self.ahead_ns = ahead_ds * TENTH_NS
        self.trades = sorted(
            (NOON_NS + at_ds * TENTH_NS + self.ahead_ns, number, NOON_NS + (at_ds + late_ds) * TENTH_NS)
            for number, (at_ds, late_ds) in enumerate(trades, start=1)
        )

    def told(self, from_ns, to_ns):
        return sorted((told_ns, number, at_ns) for at_ns, number, told_ns in self.trades if from_ns <= told_ns < to_ns)

    def page(self, url, now_ns):
        asked = query(url)
        start_ns, end_ns = rfc3339_ns(asked["start"]), min(now_ns + self.ahead_ns, rfc3339_ns(asked["end"]))
        rows = [(at_ns, number) for at_ns, number, _ in self.trades if start_ns <= at_ns <= end_ns]
        first = int(asked.get("page_token", "0"))
        token = str(first + PAGE_ROWS) if first + PAGE_ROWS < len(rows) else None
        page = [row(number, at_ns) for at_ns, number in rows[first : first + PAGE_ROWS]]
        return {"trades": {"AAPL": page} if page else {}, "next_page_token": token}


def one_connection(venue, state, from_ns, to_ns):
    """Hold one connection from a subscription until the process is killed; return what it stored."""
    talk = Talk(state).sign_in(from_ns)
    number = itertools.count()
    due = [(told_ns, next(number), None, (told, at_ns)) for told_ns, told, at_ns in venue.told(from_ns, to_ns)]
    fetches = [step for step in talk.steps if isinstance(step, Fetch)]
    due += [(from_ns + int(SETTLE_S * SECOND_NS), next(number), fetch, None) for fetch in fetches]
    while due:
        now_ns, _, fetch, told = due.pop(due.index(min(due, key=lambda one: one[:2])))
        if now_ns >= to_ns:
            break
        if fetch is None:
            talk.hear([trade(*told)], now_ns)
            continue
        steps = talk.hear(venue.page(fetch.url, now_ns), now_ns, reply_to=fetch.key)
        due += [(now_ns + PAGE_NS, next(number), step, None) for step in steps if isinstance(step, Fetch)]
    return talk.of(Trade)


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, LONGEST_DELAY_DS)), max_size=60),
    st.lists(st.tuples(st.integers(1, 200), st.integers(1, 150)), min_size=1, max_size=6),
    st.integers(-50, 50),
)
@example([(5, 0), (15, 0), (118, 0), (200, 0)], [(20, 100)], 50)  # just before the subscription, by a clock ahead
def test_every_trade_stands_once_wherever_connections_begin_and_end(trades, connections, ahead_ds):
    venue, state, stored = SmallVenue(trades, ahead_ds), {}, []
    at_ns = first_ns = NOON_NS
    for held_ds, away_ds in connections:
        stored += one_connection(venue, state, at_ns, at_ns + held_ds * TENTH_NS)
        at_ns += (held_ds + away_ds) * TENTH_NS
    stored += one_connection(venue, state, at_ns, at_ns + 3_000 * TENTH_NS)

    was_heard = json.loads(state.get("alpaca_stocks_heard", "{}").split("\n")[0] or "{}").get("until_ns", 0) > 0
    expected = {
        number
        for trade_ns, number, told_ns in venue.trades
        if trade_ns - venue.ahead_ns >= first_ns or told_ns >= first_ns
    }
    ids = [int(one.trade_id.rpartition("-")[2]) for one in stored]

    assert len(ids) == len(set(ids))
    assert not was_heard or set(ids) >= {n for n in expected if first_heard(venue, connections) <= n_time(venue, n)}


def n_time(venue, number):
    return next(told_ns for _, one, told_ns in venue.trades if one == number)


def first_heard(venue, connections):
    """Return when the first connection that heard anything heard it: before that nothing is known to be missing."""
    at_ns = NOON_NS
    for held_ds, away_ds in [*connections, (3_000, 0)]:
        if told := venue.told(at_ns, at_ns + held_ds * TENTH_NS):
            return told[0][0]
        at_ns += (held_ds + away_ds) * TENTH_NS
    return at_ns


def after_a_minute(**changes):
    """Return a connection a minute after an earlier one that heard trade 1."""
    first = Talk(**changes).sign_in()
    first.hear([trade(1, NOON_NS)])
    return Talk(first.state, **changes).sign_in(NOON_NS + 60 * SECOND_NS)


def told(talk):
    return [(event.kind, event.channel) for event in talk.of(FeedEvent)]


def test_the_first_start_has_missed_nothing():
    assert [] == Talk().sign_in().of(FeedEvent)


def test_a_gap_is_told_before_it_is_filled():
    talk = after_a_minute()

    assert [("gap", "trades"), ("gap", "quotes")] == told(talk)


def test_a_gap_longer_than_allowed_is_told_and_not_fetched():
    talk = after_a_minute(backfill_max_s=59)

    assert not [step for step in talk.steps if isinstance(step, Fetch)]
    assert "longer than BACKFILL_MAX_S=59: not fetched" == talk.of(FeedEvent)[0].detail


def test_a_weekend_is_no_gap():
    friday_evening_ns, monday_ns = NOON_NS + 29 * 3600 * SECOND_NS, NOON_NS + 92 * 3600 * SECOND_NS
    first = Talk().sign_in(friday_evening_ns - SECOND_NS)
    first.hear([trade(1, friday_evening_ns - SECOND_NS)], friday_evening_ns)
    second = Talk(first.state).sign_in(monday_ns)

    assert [] == told(second)


def test_all_symbols_cannot_be_asked_for_again():
    talk = after_a_minute(alpaca_stocks_symbols="*")

    assert [("gap", "trades"), ("gap", "quotes")] == told(talk)
    assert not [step for step in talk.steps if isinstance(step, Fetch)]


def test_a_feed_that_speaks_at_night_misses_something_at_night():
    saturday_ns = NOON_NS + 48 * 3600 * SECOND_NS
    first = Talk().sign_in(saturday_ns)
    first.hear([trade(1, saturday_ns)], saturday_ns)
    second = Talk(first.state).sign_in(saturday_ns + 60 * SECOND_NS)

    assert [("gap", "trades"), ("gap", "quotes")] == told(second)


def test_a_refusal_leaves_the_gap_and_says_why():
    talk = after_a_minute()
    talk.hear({"message": "subscription does not permit querying recent SIP data"}, reply_to="backfill", status=403)

    assert ("refused", "trades") == told(talk)[-1]
    assert "recent SIP data" in talk.of(FeedEvent)[-1].detail
    assert "holes" not in talk.state["alpaca_stocks_backfill"]


def test_the_test_stream_cannot_be_asked_again():
    talk = after_a_minute(alpaca_stocks_feed="test")

    assert "this feed cannot be asked again" == talk.of(FeedEvent)[0].detail


def test_the_delayed_tape_is_asked_for_as_the_tape_a_quarter_of_an_hour_ago():
    fetch = next(step for step in after_a_minute(alpaca_stocks_feed="delayed_sip").steps if isinstance(step, Fetch))

    assert "sip" == query(fetch.url)["feed"]
    assert NOON_NS + 70 * SECOND_NS - 900 * SECOND_NS == rfc3339_ns(query(fetch.url)["end"])
    assert fetch.after_s > 10, "else it is too recent"


def test_a_cancelled_trade_is_stored_with_its_cancellation():
    talk = after_a_minute()
    page = {"trades": {"AAPL": [row(2, NOON_NS + 30 * SECOND_NS, u="canceled")]}, "next_page_token": None}
    talk.hear(page, reply_to="backfill")

    assert ["V-20240808-2"] == [one.trade_id for one in talk.of(TradeCorrection)]
    assert ["V-20240808-2"] == talk.trade_ids()


def test_a_page_that_cannot_be_read_is_asked_for_again_and_loses_nothing():
    talk = after_a_minute()
    good, bad = row(2, NOON_NS + 30 * SECOND_NS), row(3, NOON_NS + 31 * SECOND_NS, t="soon")
    with pytest.raises(WireError, match="soon"):
        talk.hear({"trades": {"AAPL": [good, bad]}, "next_page_token": None}, reply_to="backfill")
    talk.hear({"trades": {"AAPL": [good]}, "next_page_token": None}, reply_to="backfill")

    assert ["V-20240808-2"] == talk.trade_ids()
