"""The order book of OKX: what is stored makes the venue's book at every moment, whatever the wire does."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import BookUpdate
from ingesters.feed import Send, Wake
from ingesters.venues.okx_ladder import Ladder
from ingesters.venues.okx_wire import BookRow
from tests.okx_kit import MS_NS, START_NS, SYMBOL, Talk, book, levels, push

PRICES = [str(price) for price in range(1, 9)]
LEVELS = st.lists(st.tuples(st.sampled_from(PRICES), st.sampled_from(["0", "1", "2.5"])), max_size=3)
STEPS = st.sampled_from(["grow"] * 5 + ["alive", "maintenance", "snapshot"])
FATES = st.sampled_from(["deliver"] * 8 + ["drop", "repeat", "swap", "old", "lose the next snapshot"])
TURNS = st.lists(st.tuples(STEPS, LEVELS, LEVELS, FATES), max_size=40)
MOST_MAINTENANCE = 4


class Venue:
    """The truth: a book that moves, and the messages that tell of it."""

    def __init__(self):
        self.sides = {"bids": {"1": "1"}, "asks": {"8": "1"}}
        self.number, self.now_ns, self.maintenance = 100, START_NS, 0
        self.was = {}  # the book, by number and time

    def move(self, step, bids, asks):
        """Let the book change; return the message that tells of it."""
        self.now_ns += 100 * MS_NS
        previous = self.number
        if step == "maintenance" and self.maintenance < MOST_MAINTENANCE:
            self.maintenance += 1
            self.number = self.maintenance  # and from there in fives: no number comes twice
        elif step != "alive":
            self.number += 5
        changes = {"bids": [], "asks": []} if step == "alive" else {"bids": bids, "asks": asks}
        for name, changed in changes.items():
            self.sides[name] = {p: s for p, s in (self.sides[name] | dict(changed)).items() if s != "0"}
        if step == "snapshot":
            return self.snapshot()
        self._keep()
        return book((previous, self.number), **changes, now_ns=self.now_ns)

    def snapshot(self):
        self._keep()
        sides = {name: list(side.items()) for name, side in self.sides.items()}
        return book((-1, self.number), **sides, now_ns=self.now_ns)

    def _keep(self):
        self.was[self.number, self.now_ns] = {name: dict(side) for name, side in self.sides.items()}


def follow(updates, venue):
    """Keep a book of records, as plainly as can be; return how many of its moments were not the venue's."""
    sides, wrong = {"bids": {}, "asks": {}}, 0
    for update in updates:
        if update.kind == "snapshot":
            sides = {"bids": {}, "asks": {}}
        told = {"bids": (update.bid_prices, update.bid_sizes), "asks": (update.ask_prices, update.ask_sizes)}
        for name, columns in told.items():
            sides[name] |= dict(zip(*columns, strict=True))
            sides[name] = {price: size for price, size in sides[name].items() if Decimal(size)}
        wrong += venue.was[update.last_sequence, update.event_ns] != sides
    return wrong


def deliveries(message, fate, before):
    """Return what arrives of a message, and what is held back for the next turn."""
    match fate:
        case "drop":
            return [], []
        case "repeat":
            return [message, message], []
        case "swap":
            return [], [message]
        case "old":
            return [message, *before[-3:-2]], []
        case _:
            return [message], []


def played(turns):
    venue, talk = Venue(), Talk()
    before, held, answers = [], [], [venue.snapshot()]
    for step, bids, asks, fate in [*turns, *[("grow", [], [], "deliver")] * 5]:
        message = venue.move(step, bids, asks)
        arrived, kept = deliveries(message, fate, before)
        talk.after(40.0)  # longer than any pause before a snapshot is asked for again
        for payload in [*answers, *arrived, *held]:
            talk.hear(payload)
        talk.hear(b"", reply_to="tend")
        said = [step for step in talk.said if isinstance(step, Send) and b'"subscribe"' in step.payload]
        talk.said = [step for step in talk.said if not isinstance(step, Send | Wake)]
        answers = [venue.snapshot()] if said and fate != "lose the next snapshot" else []
        held = kept
        before.append(message)
    return venue, talk


@settings(max_examples=300, deadline=None)
@given(TURNS)
def test_no_drop_repeat_or_reordering_of_frames_ever_yields_a_wrong_book(turns):
    venue, talk = played(turns)

    assert 0 == follow(talk.records(BookUpdate), venue)


@settings(max_examples=200, deadline=None)
@given(TURNS)
def test_a_broken_book_is_told_nothing_is_yielded_of_it_and_it_comes_back(turns):
    venue, talk = played(turns)
    told = [getattr(record, "kind", "") for record in talk.said if getattr(record, "channel", "books") == "books"]
    broken = False
    for kind in told:
        assert not (broken and kind == "delta")
        broken = kind == "gap" or (broken and kind != "snapshot")

    assert told.count("gap") == told.count("resync")
    assert venue.number == talk.records(BookUpdate)[-1].last_sequence


def test_queued_updates_of_a_broken_book_start_no_storm():
    talk = Talk()
    talk.hear(book((-1, 10), bids=[("1", "1")]))
    for number in range(20, 60):
        talk.hear(book((number, number + 1), bids=[("1", "2")]))

    assert 1 == len(talk.events("gap"))
    assert 2 == len([step for step in talk.said if isinstance(step, Send)])


def test_a_book_that_breaks_again_and_again_stays_within_the_requests_an_hour_holds():
    talk = Talk()
    talk.hear(book((-1, 10), bids=[("1", "1")]))
    asked = []
    for _ in range(3600):
        talk.after(1.0).hear(book((11, 12), bids=[("1", "2")]))
        talk.hear(b"", reply_to="tend")
        sent, talk.said = [step for step in talk.said if isinstance(step, Send)], []
        if sent:
            talk.hear(book((-1, 10), bids=[("1", "1")]))
        asked += sent

    assert 200 < len(asked) <= 400


def test_a_snapshot_that_does_not_come_is_asked_for_again():
    talk = Talk()
    talk.hear(b"", reply_to="tend")
    early = [step for step in talk.after(14).hear(b"", reply_to="tend") if isinstance(step, Send)]
    late = [step for step in talk.after(2).hear(b"", reply_to="tend") if isinstance(step, Send)]

    assert [] == early
    assert [b'{"op":"unsubscribe"', b'{"op":"subscribe"'] == [step.payload.partition(b",")[0] for step in late]


def test_a_refused_book_is_not_asked_for_again():
    talk = Talk()
    talk.hear(b"", reply_to="tend")
    talk.hear(b'{"event":"error","code":"60018","msg":"Wrong URL or channel:books,instId:BTC-USDT doesn\'t exist."}')

    assert [] == [step for step in talk.after(60).hear(b"", reply_to="tend") if isinstance(step, Send)]


def test_a_checksum_that_contradicts_every_fresh_book_is_told_and_not_believed_any_more():
    talk = Talk()
    for _ in range(4):
        talk.after(60).hear(book((-1, 10), bids=[("1", "1")], checksum=5))
    (change,) = talk.events("schema_change")

    assert ("checksum", SYMBOL) == (change.found, change.symbol)
    assert 1 == len(talk.records(BookUpdate))


def test_checksums_that_are_always_0_are_told_once_with_an_example():
    talk = Talk()
    talk.hear(book((-1, 1), bids=[("1", "1")]))
    for number in range(1, 300):
        talk.hear(book((number, number + 1), bids=[("1", str(number))]))
    (change,) = talk.events("schema_change")

    assert ("a checksum", "0") == (change.expected, change.found)
    assert '"checksum":0' in change.detail


def test_a_checksum_that_is_there_now_and_then_or_left_out_is_no_change():
    talk = Talk()
    bare = book((-1, 1), bids=[("1", "1")]).replace(b'"checksum":0,', b"")
    for number in range(300):
        talk.hear(bare if number % 2 else book((-1, 1), checksum=7 if number % 100 == 0 else 0))

    assert [] == [event.found for event in talk.events("schema_change") if event.found == "0"]


def test_best_levels_that_come_before_their_update_are_compared_when_it_is_there():
    talk = Talk()
    talk.hear(book((-1, 10), bids=[("1", "1")], asks=[("2", "1")]))
    top = {"asks": levels([("2", "1")]), "bids": levels([("1", "9")]), "ts": str(START_NS // MS_NS), "seqId": 15}
    early = talk.hear(push("bbo-tbt", top))
    talk.hear(book((10, 15), bids=[("1", "3")]))

    assert [] == [step for step in early if getattr(step, "kind", "") == "gap"]
    assert ["the best levels of 15"] == [event.expected for event in talk.events("gap")]


@pytest.mark.parametrize(
    ("bids", "asks", "checksum"),
    [
        ([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")], 831078360),
        ([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")], -1881014294),
    ],
)
def test_the_checksum_is_that_of_the_documentation(bids, asks, checksum):
    sides = {name: [tuple(level) for level in levels(side)] for name, side in (("asks", asks), ("bids", bids))}
    row = BookRow(**sides, time="1", checksum=checksum)

    assert checksum == Ladder(row).checksum
