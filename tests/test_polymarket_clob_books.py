"""Polymarket's books: whatever is lost, repeated or swapped on the way, none stays wrong without a word."""

import json

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from common.errors import BadAnswer, WireLost
from common.records import BookUpdate
from ingesters.feed import Fetch
from tests.clob_kit import MS, NO, SECOND, START_MS, YES, Rebuilt, SmallVenue, Talk, book, change, rest_book

FATES = ("pass",) * 6 + ("lost", "twice", "swapped", "late")


def heard_badly(venue, talk, fates):
    """Let the venue act and its messages meet their fates; the clock of the feed strikes twice a second."""
    talk.hear(venue.whole())
    held, late = [], []
    for fate in fates:
        for message in venue.act():
            while talk.now_ns + SECOND // 2 <= venue.at_ms * MS:
                talk.pass_time(0.5)
            talk.now_ns = max(talk.now_ns, venue.at_ms * MS)
            if fate in ("swapped", "late"):
                (held if fate == "swapped" else late).append(message)
                continue
            copies = {"lost": 0, "twice": 2}.get(fate, 1)
            for one in [message] * copies + held:
                talk.hear(one)
            held.clear()
    for one in held + late:
        talk.hear(one)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), fates=st.lists(st.sampled_from(FATES), max_size=120))
def test_no_book_stays_wrong_whatever_happens_to_its_messages(seed, fates):
    venue = SmallVenue(seed)
    talk = Talk(answer=venue.rest)
    try:
        heard_badly(venue, talk, fates)
        talk.pass_time(70)
    except WireLost:  # nothing but losses for a minute: the next connection begins with new books
        reject()

    assert venue.truth() == Rebuilt.of(talk.steps)
    assert len(talk.told("gap")) == len(talk.told("resync"))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), fates=st.lists(st.just("pass"), max_size=150))
def test_a_book_that_was_heard_whole_is_never_called_wrong(seed, fates):
    venue = SmallVenue(seed)
    talk = Talk(answer=venue.rest)
    heard_badly(venue, talk, fates)
    talk.pass_time(130)

    assert [] == talk.told("gap", "resync", "stale")
    assert venue.truth() == Rebuilt.of(talk.steps)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), lost=st.integers(0, 39))
def test_one_lost_message_is_told_unless_its_level_was_told_anew(seed, lost):
    venue = SmallVenue(seed)
    talk = Talk(answer=venue.rest)
    heard_badly(venue, talk, ["pass"] * lost + ["lost"])
    was_wrong = Rebuilt.of(talk.steps) != venue.truth()

    talk.pass_time(70)

    assert was_wrong == bool(talk.told("gap"))
    assert venue.truth() == Rebuilt.of(talk.steps)


def based(**more):
    talk = Talk(**more)
    talk.hear(book())
    return talk


def test_a_stale_level_is_told_after_half_a_second_and_cured_by_an_answer():
    talk = based(answer=lambda _: [rest_book(at_ms=START_MS + 900, bids=[("0.47", "9")])])
    talk.now_ns += 100 * MS
    talk.hear(change("0.6", "1", "SELL", at_ms=START_MS + 100, best=("0.47", "0.52")))
    talk.pass_time(5)
    gap, resync = talk.told("gap", "resync")

    assert ("gap", "0.47 / 0.52", "0.48 / 0.52") == (gap.kind, gap.expected, gap.found)
    assert (START_MS + 100) * MS == gap.from_ns == resync.from_ns
    assert ({0.47: 9.0}, {0.52: 25.0}) == Rebuilt.of(talk.steps)


def test_a_book_within_half_a_second_heals_a_stale_level_without_a_word():
    talk = Talk()
    talk.hear(book(bids=[("0.47", "9"), ("0.48", "30")]))
    talk.hear(change("0.6", "1", "SELL", at_ms=START_MS + 100, best=("0.47", "0.52")))
    talk.hear(book(at_ms=START_MS + 100, bids=[("0.47", "9")], asks=[("0.6", "1"), ("0.52", "25")]))
    talk.pass_time(3)

    assert [] == talk.told("gap", "resync")


def ask(talk):
    """Return the question for books that is put when it is due; it stays without an answer."""
    talk.answer = lambda _: b"["
    asked = []
    while not asked:
        talk.now_ns += SECOND // 2
        asked = [step for step in talk.hear(b"", reply_to="tick") if isinstance(step, Fetch)]
    return asked[0]


def test_an_answer_ahead_of_the_socket_waits_for_the_socket():
    talk = based()
    fetch = ask(talk)
    talk.hear([rest_book(at_ms=START_MS + 50, bids=[("0.49", "7"), ("0.48", "30")])], reply_to=fetch.key)
    before = len(talk.of(BookUpdate))
    talk.hear(change("0.49", "7", "BUY", at_ms=START_MS + 50, best=("0.49", "0.52")))
    talk.hear(change("0.49", "8", "BUY", at_ms=START_MS + 60, best=("0.49", "0.52")))

    assert (1, ["delta", "delta"]) == (before, [update.kind for update in talk.of(BookUpdate)[1:]])
    assert [] == talk.told("gap")


def test_what_changed_after_the_moment_of_an_answer_is_put_on_top_of_it():
    talk = based()
    fetch = ask(talk)
    talk.hear(change("0.45", "3", "BUY", at_ms=START_MS + 80))
    talk.hear([rest_book(at_ms=START_MS + 40, bids=[("0.46", "2"), ("0.48", "30")])], reply_to=fetch.key)

    assert ({0.48: 30.0, 0.46: 2.0, 0.45: 3.0}, {0.52: 25.0}) == Rebuilt.of(talk.steps)
    assert ["gap", "resync"] == [event.kind for event in talk.told("gap", "resync")]


def test_an_answer_that_is_older_than_the_question_changes_nothing():
    talk = based()
    fetch = ask(talk)
    talk.hear([rest_book(at_ms=START_MS - 5, bids=[])], reply_to=fetch.key)

    assert 1 == len(talk.of(BookUpdate))


def test_a_change_right_behind_the_book_that_holds_it_is_no_loss():
    talk = based()
    talk.hear(book(at_ms=START_MS + 9, bids=[("0.44", "5"), ("0.48", "30")]))
    talk.hear(change("0.44", "5", "BUY", at_ms=START_MS + 9))
    talk.pass_time(3)

    assert [] == talk.told("gap")


def test_a_book_that_shows_a_level_nobody_told_of_is_a_gap_up_to_that_book():
    talk = based()
    talk.hear(book(at_ms=START_MS + 9, bids=[("0.44", "5"), ("0.48", "30")]))
    talk.pass_time(3)
    gap, resync = talk.told("gap", "resync")

    assert ("0 at 0.44", "5") == (gap.expected, gap.found)
    assert (START_MS * MS, (START_MS + 9) * MS) == (gap.from_ns, gap.to_ns)
    assert (gap.from_ns, gap.to_ns) == (resync.from_ns, resync.to_ns)


def test_a_token_without_a_first_book_gets_one_by_asking():
    talk = Talk(answer=lambda tokens: [rest_book(token) for token in tokens])
    talk.pass_time(6)

    assert [("snapshot", ("0.48",))] == [(update.kind, update.bid_prices) for update in talk.of(BookUpdate)]


def test_a_token_that_never_speaks_is_subscribed_to_again_and_called_stale_once():
    talk = Talk()
    talk.pass_time(150)
    operations = [message["operation"] for message in talk.sent() if "operation" in message]

    assert ["unsubscribe", "subscribe"] * 3 == operations
    assert [YES] == [event.symbol for event in talk.told("stale")]


def test_a_token_that_speaks_after_all_is_stale_no_more():
    talk = Talk()
    talk.pass_time(40)
    talk.hear(book())

    assert ["stale", "resync"] == [event.kind for event in talk.told("stale", "resync")]


def test_a_socket_that_is_silent_while_the_venues_books_move_is_given_up():
    talk = based()
    talk.answer = lambda _: [rest_book(at_ms=talk.now_ns // MS, bids=[("0.3", str(talk.now_ns))])]

    with pytest.raises(WireLost, match="ws0: silent for 60 s while the venue's books moved"):
        talk.pass_time(200)

    assert ["gap", "resync"] * 2 == [event.kind for event in talk.told("gap", "resync")]


def test_a_token_whose_book_moved_unheard_is_subscribed_to_again():
    talk = based(answer=lambda _: [rest_book(at_ms=START_MS + 1000, bids=[("0.3", "1")])])
    talk.pass_time(100)

    assert ["unsubscribe", "subscribe"] == [sent["operation"] for sent in talk.sent() if "operation" in sent]


def test_books_that_rest_are_confirmed_without_a_record():
    talk = based(answer=lambda _: [rest_book()])
    talk.pass_time(200)

    assert 1 == len(talk.of(BookUpdate))
    assert 4 == len([step for step in talk.of(Fetch) if step.key.startswith("books:")])


def test_a_question_that_is_refused_is_halved_until_the_guilty_token_is_alone():
    talk = Talk(markets=(YES, NO, "7" * 77))
    fetch = ask(talk)
    open_questions = [fetch]
    while open_questions:
        tokens = [one["token_id"] for one in json.loads(open_questions[0].body)]
        is_bad = NO in tokens
        body = b'{"error":"Invalid token id"}' if is_bad else [rest_book(token) for token in tokens]
        steps = talk.hear(body, reply_to=open_questions.pop(0).key, status=400 if is_bad else 200)
        open_questions += [step for step in steps if isinstance(step, Fetch)]

    assert [NO] == [event.symbol for event in talk.told("refused")]
    assert {YES, "7" * 77} == {update.symbol for update in talk.of(BookUpdate)}


def test_an_answer_that_is_no_list_is_asked_for_again():
    talk = based()
    fetch = ask(talk)

    with pytest.raises(BadAnswer):
        talk.hear({"error": "?"}, reply_to=fetch.key)


def test_a_bad_number_leaves_every_book_as_it_was():
    talk = based()
    bad = change("0.49", "1", "BUY", at_ms=START_MS + 1)
    bad["price_changes"].append(bad["price_changes"][0] | {"asset_id": NO, "price": "much"})
    with pytest.raises(Exception, match="could not convert"):
        talk.hear(bad)

    assert {0.48: ("0.48", "30")} == talk.feed._books.by_token[YES].bids.levels
