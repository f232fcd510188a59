"""What a reorganisation of the chain does to events that were read already: told, never doubled."""

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from common.records import FeedEvent, OrderEvent
from ingesters.venues import goldsky_recheck
from ingesters.venues.goldsky_page import Cursor, Row
from ingesters.venues.goldsky_recheck import Recheck
from tests.goldsky_kit import START_S, Loop, Subgraph, row


def read_up(*rows: dict[str, str]) -> Loop:
    """Return a loop that has read these events and waits for more."""
    subgraph = Subgraph()
    subgraph.add(*rows)
    loop = Loop(subgraph)
    loop.run_for(10)
    return loop


def ten(at: int = START_S) -> list[dict[str, str]]:
    return [row(number, at + number) for number in range(10)]


def test_events_that_vanish_are_named_once():
    loop = read_up(*ten())
    loop.subgraph.remove("3", "7")
    loop.run_for(300)

    assert [("gap", "reorg: 2 events vanished: 3, 7")] == loop.told()


def test_at_most_twenty_vanished_events_are_named():
    loop = read_up(*(row(f"{number:02}", START_S) for number in range(30)))
    loop.subgraph.remove(*(f"{number:02}" for number in range(25)))
    loop.run_for(100)
    _, detail = loop.told()[0]

    assert detail.startswith("reorg: 25 events vanished: 00, 01, ")
    assert detail.endswith(", 19, ...")


def test_the_stretch_of_a_reorganisation_is_that_of_its_events():
    loop = read_up(*ten())
    loop.subgraph.remove("3", "7")
    loop.run_for(100)
    event = next(record for record in loop.records if isinstance(record, FeedEvent))

    assert (START_S + 3, START_S + 7) == (event.from_ns // 10**9, event.to_ns // 10**9)


def test_an_event_that_comes_late_is_recorded_once_and_told_once():
    loop = read_up(*ten())
    loop.subgraph.add(row("late", START_S + 2))
    loop.run_for(300)

    assert [*map(str, range(10)), "late"] == loop.ids()
    assert [("backfilled", "reorg: 1 events came late: late")] == loop.told()


def test_a_late_event_does_not_move_the_place_back():
    loop = read_up(*ten())
    before = dict(loop.state)
    loop.subgraph.add(row("late", START_S + 2))
    loop.run_for(100)

    assert before == loop.state


def test_an_event_that_returns_is_not_a_second_event():
    loop = read_up(*ten())
    gone = loop.subgraph.rows["4"]
    loop.subgraph.remove("4")
    loop.run_for(100)
    loop.subgraph.add(gone)
    loop.run_for(100)

    assert [str(number) for number in range(10)] == loop.ids()
    assert ["gap", "resync"] == [kind for kind, _ in loop.told()]


@pytest.mark.parametrize("pause_s", [1, 100])
def test_an_event_that_returns_at_a_later_time_is_not_a_second_event(pause_s):
    loop = read_up(*ten())
    loop.subgraph.remove("4")
    loop.run_for(pause_s)
    loop.subgraph.add(row("4", START_S + 50))
    loop.run_for(300)

    assert [str(number) for number in range(10)] == loop.ids()
    assert ("gap", "reorg: 1 events have another time now, the first one stands: 4") in loop.told()


def test_events_of_an_earlier_process_are_not_taken_for_late_ones():
    loop = read_up(*ten())
    loop.start()
    loop.subgraph.add(row("new", START_S + 20))
    loop.run_for(300)

    assert [*map(str, range(10)), "new"] == loop.ids()
    assert [] == loop.told()


def test_a_block_that_was_checked_is_not_read_again():
    loop = read_up(*ten())
    loop.run_for(100)
    asked = len(loop.subgraph.asked)
    loop.run_for(300)

    assert 300 / 5 == len(loop.subgraph.asked) - asked


def test_a_long_window_is_read_page_by_page():
    rows = [row(f"{number:05}", START_S + number // 10) for number in range(2500)]
    loop = read_up(*rows)
    loop.subgraph.add(row("00100x", START_S + 10))
    loop.subgraph.remove("02400")
    loop.run_for(100)

    assert [*(f"{number:05}" for number in range(2500)), "00100x"] == loop.ids()
    assert ["backfilled", "gap"] == [kind for kind, _ in loop.told()]


def test_memory_holds_ten_minutes_and_never_more_than_its_bound():
    recheck = Recheck(Cursor(0, ""))
    for second in range(70):
        recheck.remember([_row(f"{second}-{number}", second) for number in range(1000)])

    assert len(recheck._known) <= goldsky_recheck.MOST_IDS * 5 // 4


def test_what_is_older_than_ten_minutes_is_not_read_again():
    recheck = Recheck(Cursor(0, ""))
    recheck.remember([_row("old", 1000), _row("new", 1700)])
    recheck.begin(Cursor(1700, "new"))

    assert Cursor(1100, "") == recheck.after


def test_what_leaves_memory_during_a_walk_does_not_come_late():
    recheck = Recheck(Cursor(0, ""))
    recheck.remember([_row("old", 1)])
    recheck.begin(Cursor(1, "old"))
    recheck.remember([_row(f"{number}", 5000) for number in range(goldsky_recheck.MOST_IDS * 5 // 4)])

    assert [] == recheck.late([_row("old", 1)])


def test_what_the_feed_has_yet_to_read_does_not_come_late():
    recheck = Recheck(Cursor(0, ""))
    recheck.remember([_row("a", 1)])
    recheck.begin(Cursor(1, "a"))

    assert [] == recheck.late([_row("a", 1), _row("b", 2)])


def test_an_event_that_moved_inside_the_window_is_remembered_by_its_new_time():
    recheck = Recheck(Cursor(0, ""))
    recheck.remember([_row("moved", 1000), _row("newest", 1500)])
    recheck.begin(Cursor(1500, "newest"))
    recheck.late([_row("moved", 1400)])
    recheck.end()
    recheck.remember([_row("far", 1900)])
    recheck.begin(Cursor(1900, "far"))

    assert recheck.is_known(_row("moved", 1400))


@effort(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "late", "vanish", "retime", "wait", "spoil"]), st.integers(0, 99)),
        max_size=40,
    ),
    st.integers(2, 50),
)
def test_no_reorganisation_doubles_or_loses_an_event(changes, cap):
    subgraph = Subgraph(most_rows=cap)
    subgraph.add(*ten())
    loop, ever, newest = Loop(subgraph), {str(number) for number in range(10)}, START_S + 10
    loop.run_for(30)
    for number, (change, which) in enumerate(changes):
        at = START_S + which % 10 if change == "late" else newest
        if change in ("add", "late"):
            subgraph.add(row(f"new{number}", at))
            ever.add(f"new{number}")
            newest += change == "add"
        elif change == "vanish" and subgraph.rows:
            subgraph.remove(sorted(subgraph.rows)[which % len(subgraph.rows)])
            ever = ever & {*subgraph.rows, *loop.ids()}
        elif change == "retime" and subgraph.rows:
            subgraph.add(row(sorted(subgraph.rows)[which % len(subgraph.rows)], newest))
        loop.run_for(which) if change == "wait" else loop.turn(spoil=b"{" if change == "spoil" else None)
    loop.run_for(300)
    events = [record.event_id for record in loop.records if isinstance(record, OrderEvent)]

    assert len(events) == len(set(events))
    assert ever == set(events)


def _row(key: str, timestamp: int) -> Row:
    return Row(key, "", str(timestamp), "", "", "", "0", "1", "1", "1", "0")
