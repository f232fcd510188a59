"""Books while nothing comes: what is told by the clock is what the next record would have had told, to the bit."""

import random

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from common.streams import BOOK_SNAPSHOTS
from processors.books import Books
from tests.book_kit import MS, NOTHING, SECOND_NS, START_NS, frame, random_messages, sorted_rows, turned, update

BOOK = update("snapshot", [("100", "1"), ("99", "2")], [("101", "3"), ("102", "4")])


def silent(books, *seconds):
    """Return what a state tells when its shard has been silent for so long, and for so long."""
    return [books.rest(round(silent_s * SECOND_NS), NOTHING) for silent_s in seconds]


def instants(made):
    """Return when rows and snapshots are, in ms after the start."""
    return tuple([(at - START_NS) // MS for at in told["event_ns"]] for told in (made.rows, made.also[BOOK_SNAPSHOTS]))


@pytest.mark.parametrize("seed", range(6))
def test_silences_between_messages_change_nothing_of_what_is_told_in_the_end(seed):
    chance, messages = random.Random(seed), random_messages(160, seed)
    whole = turned(Books(), messages)
    books, made, rested, at = Books(), [], 0, 0
    while at < len(messages):
        step = chance.choice([1, 1, 2, 9])
        made.append(books.turn(frame(messages[at : at + step], first=at), NOTHING))
        at += step
        longest_ns = messages[min(at, len(messages) - 1)].received_ns - messages[:at][-1].received_ns
        for silent_ns in sorted(chance.randint(0, longest_ns) for _ in range(chance.choice([0, 1, 5]))):
            books = Books(books.save()) if chance.random() < 0.5 else books
            told = books.rest(silent_ns, NOTHING)
            made += [told] if told else []
            rested += len(told.rows) if told else 0
    cut = [one.rows for one in made], [one.also[BOOK_SNAPSHOTS] for one in made]

    assert rested
    for wanted, parts in zip(whole[:2], cut, strict=True):
        assert_frame_equal(sorted_rows(wanted), sorted_rows(pl.concat(parts)), check_exact=True)
    assert sorted(whole[2].rows()) == pl.concat([one.refused for one in made]).rows()


def test_the_last_change_is_told_as_soon_as_it_is_over_and_then_the_seconds_behind_it():
    books = Books()
    turned(books, [BOOK])
    made = silent(books, 1.0, 1.1, 2.0, 2.2)

    assert [None, None] == made[::2]
    assert ([100], []) == instants(made[1])
    assert ([1_000], [1_000]) == instants(made[3])


def test_a_silence_is_told_to_its_end_with_few_states_to_save_and_then_costs_nothing():
    books = Books()
    turned(books, [BOOK])
    made = [one for one in silent(books, *range(1, 1_000)) if one]

    assert [100, *range(1_000, 300_001, 1_000)] == [at for one in made for at in instants(one)[0]]
    assert 9 == len(made)


def test_what_was_kept_for_longer_than_the_silence_is_late_and_no_instant_is_told_twice():
    books = Books()
    turned(books, [BOOK])
    before = silent(books, 10)[0]
    kept = update("delta", [("100.5", "1")], at_ns=START_NS + 4_000 * MS)
    after, _, _ = turned(books, [kept, update(at_ns=START_NS + 13_000 * MS)])

    assert 9_000 == instants(before)[0][-1]
    assert (9_100, 1, 1, "100.5") == (
        (after["event_ns"][0] - START_NS) // MS,
        *after.select("updates", "late_updates", "best_bid").row(0),
    )


def test_a_silence_goes_on_from_a_record_that_was_kept_and_not_from_where_it_was_told():
    books = Books()
    turned(books, [BOOK])
    silent(books, 100)
    turned(books, [update("delta", [("100.5", "1")], at_ns=START_NS + 4_000 * MS)])

    assert [None] == silent(books, 90)


def test_a_state_that_was_saved_before_silences_were_told_goes_on():
    books = Books()
    turned(books, [BOOK])
    old = msgspec.msgpack.decode(books.save())
    del old["heard_ns"]
    again = Books(msgspec.msgpack.encode(old))

    assert books.save() == again.save()
