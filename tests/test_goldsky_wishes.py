"""Events of the subgraph by hand: what is missing of a stretch, once, whatever is asked and killed."""

import pytest

from common.records import DeadLetter
from common.wishes import Wish, digest, packed, standing_key, wish_id
from tests.goldsky_kit import SECOND_NS, START_S, Loop, Subgraph, row

PROGRAM = "goldsky_ingester"
FROM_S, TO_S = START_S - 5000, START_S - 4000


@pytest.fixture
def subgraph():
    made = Subgraph()
    made.add(*(row(f"0x{number:04x}", START_S - 6000 + number // 3) for number in range(6_200)))
    return made


def wish(standing=(), **changes):
    span = FROM_S * SECOND_NS, TO_S * SECOND_NS
    facts = {"below": START_S * SECOND_NS, "names": len(set(standing))} | changes
    return Wish(wish_id("", *span), "", *span, **facts)


def ids_within(subgraph):
    return sorted(key for key, one in subgraph.rows.items() if FROM_S <= int(one["timestamp"]) <= TO_S)


def follower(subgraph, wanted, standing=()):
    """Return an ingester that begins behind everything, with a wish for what lies before."""
    loop = Loop(subgraph, goldsky_start_timestamp=START_S)
    loop.sets = {
        f"backfill:{PROGRAM}": {wanted.word},
        standing_key(PROGRAM, wanted.id): set(packed(map(digest, standing))),
    }
    return loop


def test_what_is_missing_of_a_stretch_is_fetched_and_told(subgraph):
    standing = ids_within(subgraph)[::2]
    loop = follower(subgraph, wish(standing), standing)
    loop.run_for(30)

    assert ids_within(subgraph)[1::2] == sorted(loop.ids())
    assert {"backfill"} == {event.via for event in loop.standing().values()}
    assert [("backfilled", f"wish {wish().id}")] == loop.told()
    assert {f"backfill:{PROGRAM}": set(), standing_key(PROGRAM, wish().id): set()} == loop.sets


def test_a_page_that_ends_with_an_odd_row_does_not_end_the_wish(subgraph):
    last = ids_within(subgraph)[999]
    subgraph.add({name: value for name, value in subgraph.rows[last].items() if name != "fee"})
    loop = follower(subgraph, wish())
    loop.run_for(30)

    assert [one for one in ids_within(subgraph) if one != last] == sorted(loop.ids())
    assert 1 == sum(isinstance(record, DeadLetter) for record in loop.records)


def test_nothing_of_the_streams_own_time_is_fetched(subgraph):
    loop = follower(subgraph, wish(below=FROM_S * SECOND_NS))
    loop.run_for(30)

    assert [] == loop.ids()


@pytest.mark.parametrize("kill_at", range(2, 9))
def test_a_kill_in_the_middle_brings_nothing_twice(subgraph, kill_at):
    loop = follower(subgraph, wish())
    for _ in range(kill_at):
        loop.turn()
    loop.turn(is_killed=True)
    loop.run_for(30)

    assert ids_within(subgraph) == sorted(loop.ids())


def test_a_wish_whose_standing_names_are_lost_is_left_with_its_reason(subgraph):
    loop = follower(subgraph, wish(names=7))
    loop.run_for(30)

    assert [] == loop.ids()
    assert [("gap", f"wish {wish().id}: what stands in this stretch is not known any more: ask again")] == loop.told()


def test_an_overlapping_wish_brings_only_the_rest(subgraph):
    loop = follower(subgraph, wish())
    loop.run_for(30)
    span = (FROM_S - 500) * SECOND_NS, TO_S * SECOND_NS
    wider = Wish(wish_id("", *span), "", *span, below=START_S * SECOND_NS)
    loop.sets[f"backfill:{PROGRAM}"].add(wider.word)
    loop.run_for(30)

    assert len(loop.ids()) == len(set(loop.ids())) == len(ids_within(subgraph)) + 500 * 3
