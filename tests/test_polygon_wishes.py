"""Fills of the chain by hand: what is missing of a stretch, once, whatever is asked and killed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records import FeedEvent
from common.wishes import Wish, digest, packed, standing_key, wish_id
from ingesters.feed import Fetch, Forget, Frame, Recall, hear
from ingesters.venues.polygon_search import Search
from simulator.node import View
from tests.polygon_kit import BLOCK_S, FIRST_BLOCK, START_S, Recorder, World, event_id

PROGRAM = "polygon_ingester"
KEY = f"backfill:{PROGRAM}"
BLOCKS = 1_000
FROM_S, TO_S = START_S + 400, START_S + 1_000


@pytest.fixture(scope="module")
def world():
    made = World()
    for number in range(BLOCKS):
        made.grow(matches=number % 3)
    return made


def wish(standing=(), **changes):
    span = FROM_S * 10**9, TO_S * 10**9
    facts = {"below": (START_S + 10_000) * 10**9, "names": len(standing)} | changes
    return Wish(wish_id("", *span), "", *span, **facts)


def ids_within(world):
    first, last = ((second - START_S) // BLOCK_S + FIRST_BLOCK for second in (FROM_S, TO_S))
    return [
        event_id(told) for block in world.chain.between(first, last) for part in block.transactions for told in part
    ]


class Follower(Recorder):
    """A recorder that begins at the head of the chain, and the sets of its fleet."""

    def __init__(self, world, wanted, standing=(), view=None):
        self.sets = {KEY: {wanted.word}, standing_key(PROGRAM, wanted.id): set(packed(map(digest, standing)))}
        self.view = view
        super().__init__(world, polygon_start_block=None)

    def recall(self, key=KEY):
        """Let the feed hear a set, and those that it asks for then."""
        for step in hear(self.feed, Frame(self.now_ns, "\n".join(self.sets[key]).encode(), reply_to=key)):
            if isinstance(step, Recall) and step.key != KEY:
                self.recall(step.key)
            elif isinstance(step, Forget):
                self.sets[step.key] -= set(step.words)
            elif isinstance(step, FeedEvent):
                self.records.append(step)
            elif isinstance(step, Fetch):
                raise AssertionError(step)

    def obey(self, turns=200):
        """Hear of the wishes and answer what is asked for them."""
        self.recall()
        for _ in range(turns):
            self.turn(view=self.view)
        return self


@pytest.mark.parametrize("view", [View(), View(most_blocks=7, takes_batches=False)])
def test_what_is_missing_of_a_stretch_is_fetched_and_told(world, view):
    standing = ids_within(world)[::2]
    recorder = Follower(world, wish(standing), standing, view).obey(600)

    assert ids_within(world)[1::2] == recorder.ids()
    assert {"backfill"} == {event.via for event in recorder.standing().values()}
    (told,) = recorder.told("backfilled")
    assert (str(len(recorder.ids())), f"wish {wish().id}") == (told.found, told.detail)


def test_a_wish_that_was_had_is_taken_out_with_what_it_said(world):
    standing = ids_within(world)
    recorder = Follower(world, wish(standing), standing).obey()
    recorder.recall()

    assert [] == recorder.ids()
    assert {KEY: set(), standing_key(PROGRAM, wish().id): set()} == recorder.sets


@pytest.mark.parametrize("turns", range(5, 30, 4))
def test_a_kill_in_the_middle_brings_nothing_twice(world, turns):
    recorder = Follower(world, wish(), view=View(most_blocks=60)).obey(turns)
    recorder.start()
    recorder.obey()

    assert ids_within(world) == recorder.ids()


def test_new_blocks_are_told_while_old_ones_are_read_again():
    world = World()
    world.grow(BLOCKS)
    recorder = Follower(world, wish(), view=View(most_blocks=20))
    recorder.recall()
    recorder.turn(view=recorder.view)
    for _ in range(60):
        world.grow()
        recorder.turn(view=recorder.view)
        recorder.turn(view=recorder.view)
    recorder.obey(300)
    before = len(world.ids(until=FIRST_BLOCK + BLOCKS - 1 - 5))
    new = world.ids(until=world.chain.head - 5)[before:]

    assert sorted([*new, *ids_within(world)]) == sorted(recorder.ids())


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=300),
    st.integers(-100, 13_000),
    st.integers(0, 50),
)
def test_the_first_block_of_a_moment_is_found_in_few_questions(pauses, second, gone):
    times = [sum(pauses[: index + 1]) for index in range(len(pauses))]
    search = Search(second, len(times) - 1)
    questions = 0
    while not search.is_done:
        guess = search.guess
        search.hear(times[guess] if guess >= gone else None)
        questions += 1

    assert questions <= 2 * len(times).bit_length() + 4
    assert next((n for n, at in enumerate(times) if n >= gone and at >= second), len(times)) == search.high
