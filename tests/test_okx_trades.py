"""The numbering of OKX's trades: each once, every missing one told, and fetched while the venue has it."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import Trade
from ingesters.feed import Checkpoint, Fetch, Resume
from tests.okx_kit import MS_NS, SECOND_NS, START_NS, SYMBOL, Talk, answer, history, trade

FATES = st.lists(
    st.sampled_from(["deliver", "deliver", "drop", "repeat", "hold", "restart", "answer", "kill at the answer"]),
    max_size=60,
)
FIRST = 1000
KEY = f"history-trades:{SYMBOL}"


class Recorder:
    """A feed, what it leaves in the streams, and a venue that has every trade; kills come before anything is stored."""

    def __init__(self):
        self.stored, self.state, self.mark = [], {}, None
        self.now_ns, self.last = START_NS, FIRST - 1
        self.start()

    def start(self):
        marks = {} if self.mark is None else {("trades", SYMBOL): self.mark}
        self.talk = Talk(Resume(dict(self.state), marks))
        self.talk.now_ns = self.now_ns
        self.asked = [step for step in self.talk.opening if isinstance(step, Fetch)]

    def take(self, steps):
        for step in steps:
            if isinstance(step, Trade):
                self.stored.append(step)
                self.mark = self.mark if step.sequence is None else step.sequence
            elif isinstance(step, Checkpoint):
                self.state |= step.state
            elif isinstance(step, Fetch):
                self.asked.append(step)

    def tell(self, payload):
        self.take(self.talk.hear(payload, wire="business"))

    def pass_time(self):
        self.now_ns += 100 * MS_NS
        self.talk.now_ns = self.now_ns

    def answer(self, *, is_killed=False):
        if not self.asked:
            return
        below = int(parse_qs(urlsplit(self.asked.pop(0).url).query)["after"][0])
        steps = self.talk.hear(self.page(below), reply_to=KEY)
        if is_killed:
            self.start()
        else:
            self.take(steps)

    def page(self, below):
        """Return at most two trades below an id, newest first; a trade happened 100 ms after the one before it."""
        numbers = range(min(below - 1, self.last), FIRST - 20, -1)[:2]
        stamps = {number: START_NS // MS_NS + (number - FIRST) * 100 for number in numbers}
        rows = [{"tradeId": str(n), "ts": str(stamps[n])} for n in numbers]
        return answer(*({"instId": SYMBOL, "px": "9", "sz": "1", "side": "buy"} | row for row in rows))


def recorded(fates):
    recorder, held = Recorder(), []
    for turn, fate in enumerate(["deliver", *fates, "deliver"]):
        recorder.pass_time()
        recorder.last = number = FIRST + turn
        told = trade(number, START_NS + turn * 100 * MS_NS)
        if fate.startswith(("answer", "kill")):
            recorder.answer(is_killed=fate.startswith("kill"))
        if fate == "restart":
            recorder.start()
            held = []
        elif fate == "hold":
            held.append(told)
        elif fate != "drop":
            for payload in [told, *([told] if fate == "repeat" else []), *held]:
                recorder.tell(payload)
            held = []
    for _ in range(200):
        recorder.answer()
    return recorder


@settings(max_examples=300, deadline=None)
@given(FATES)
def test_trades_are_whole_and_stored_once_whatever_is_lost_repeated_late_or_killed(fates):
    recorder = recorded(fates)

    assert list(range(FIRST, recorder.last + 1)) == sorted(int(one.trade_id) for one in recorder.stored)
    assert "{}" == recorder.state.get("okx_backfill", "{}")


def test_a_gap_is_told_before_the_trade_behind_it_and_the_hole_is_kept_before_both_are_stored():
    talk = Talk()
    talk.hear(trade(10))
    steps = talk.after(4).hear(trade(14, START_NS + 4 * 10**9))

    assert ["FeedEvent", "Checkpoint", "Fetch", "Trade"] == [type(step).__name__ for step in steps]
    assert ("gap", "trades", "11", "14") == tuple(
        getattr(steps[0], name) for name in ("kind", "channel", "expected", "found")
    )
    assert [[11, 14]] == json.loads(steps[1].state["okx_backfill"])[SYMBOL][0]["missing"]


def test_a_sum_of_matches_leaves_no_gap():
    talk = Talk()
    for number, count in ((10, 1), (20, 10), (21, 1)):
        talk.hear(trade(number, count=count))

    assert ["10", "20", "21"] == [one.trade_id for one in talk.records(Trade)]
    assert [] == talk.events()


def test_a_sum_of_which_a_part_is_stored_is_fetched_singly():
    talk = Talk(Resume(marks={("trades", SYMBOL): 15}))
    talk.hear(trade(20, count=10))
    talk.hear(history(*range(20, 10, -1)), reply_to=KEY)

    assert ["16", "17", "18", "19", "20"] == [one.trade_id for one in talk.records(Trade)]


def test_trades_are_heard_of_one_channel_only():
    talk = Talk()
    talk.hear(trade(10))
    talk.hear(trade(12, count=2))
    talk.hear(trade(11))

    assert ["10", "11"] == [one.trade_id for one in talk.records(Trade)]


def test_no_back_fill_is_asked_for_when_it_is_switched_off():
    talk = Talk(backfill_max_s=0)
    talk.hear(trade(10))
    steps = talk.hear(trade(14))

    assert [] == [step for step in steps if isinstance(step, Fetch)]
    assert ["", "not fetched again: BACKFILL_MAX_S=0"] == [event.detail for event in talk.events("gap")]


def test_a_long_hole_is_walked_page_by_page_and_told_once_when_it_is_filled():
    talk = Talk(Resume(marks={("trades", SYMBOL): 1000}))
    (fetch,) = [step for step in talk.hear(trade(2001)) if isinstance(step, Fetch)]
    asked = [fetch]
    for top in range(2001, 1001, -100):
        steps = talk.hear(history(*range(top - 1, top - 101, -1)), reply_to=KEY)
        asked += [step for step in steps if isinstance(step, Fetch)]

    assert [str(top) for top in range(2001, 1001, -100)] == [
        parse_qs(urlsplit(fetch.url).query)["after"][0] for fetch in asked
    ]
    assert [2.0, *[0.0] * 9] == [fetch.after_s for fetch in asked]
    assert [("1000", "1000")] == [(event.expected, event.found) for event in talk.events("backfilled")]
    assert 1001 == len({one.trade_id for one in talk.records(Trade)}) == len(talk.records(Trade))


@pytest.mark.parametrize("ahead_s", [5, -5])
def test_a_trade_told_again_after_the_venues_clock_was_set_back_is_a_repeat(ahead_s):
    talk = Talk()
    talk.hear(trade(10, START_NS + ahead_s * SECOND_NS))
    talk.hear(trade(11, START_NS + (ahead_s - 10) * SECOND_NS))

    assert [] == talk.hear(trade(10, START_NS + ahead_s * SECOND_NS))


def test_the_newest_trade_told_again_by_a_clock_ahead_of_ours_is_a_repeat_after_a_restart():
    talk = Talk(Resume(marks={("trades", SYMBOL): 10}))

    assert [] == talk.hear(trade(10, START_NS + 5 * SECOND_NS))
