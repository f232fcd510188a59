"""What a reorganisation of the chain does to events that were read already: corrected and told, never doubled."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from common.records import DeadLetter, FeedEvent
from ingesters.venues import goldsky_recheck
from ingesters.venues.goldsky_page import Cursor, Odd, Row
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


def test_events_that_vanish_are_taken_back_and_named_once():
    loop = read_up(*ten())
    loop.subgraph.remove("3", "7")
    loop.run_for(300)

    assert [("gap", "reorg: 2 events vanished: 3, 7")] == loop.told()
    assert list("01245689") == list(loop.standing())


def test_what_takes_an_event_back_is_the_event_as_it_was():
    loop = read_up(*ten())
    loop.subgraph.remove("3")
    loop.run_for(100)
    told, taken_back = (record for record in loop.records if getattr(record, "event_id", "") == "3")

    assert "removed" == taken_back.source
    assert told == msgspec.structs.replace(taken_back, source="subgraph", received_ns=told.received_ns)


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
    assert ["late"] == [name for name, one in loop.standing().items() if one.via == "backfill"]


def test_a_late_event_does_not_move_the_place_back():
    loop = read_up(*ten())
    before = dict(loop.state)
    loop.subgraph.add(row("late", START_S + 2))
    loop.run_for(100)

    assert before == loop.state


def test_an_event_that_returns_stands_again_once():
    loop = read_up(*ten())
    gone = loop.subgraph.rows["4"]
    loop.subgraph.remove("4")
    loop.run_for(100)
    loop.subgraph.add(gone)
    loop.run_for(100)

    assert list("0123456789") == sorted(loop.standing())
    assert ["gap", "resync"] == [kind for kind, _ in loop.told()]


@pytest.mark.parametrize("pause_s", [1, 100])
def test_an_event_that_returns_at_a_later_time_stands_there_once(pause_s):
    loop = read_up(*ten())
    loop.subgraph.remove("4")
    loop.run_for(pause_s)
    loop.subgraph.add(row("4", START_S + 50))
    loop.run_for(300)

    assert list("0123456789") == sorted(loop.standing())
    assert START_S + 50 == loop.standing()["4"].event_ns // 10**9
    assert {1: "changed", 100: "that had vanished are back"}[pause_s] in loop.told()[-1][1]


def test_an_event_that_has_changed_stands_as_it_is_now():
    loop = read_up(*ten())
    loop.subgraph.add(row(4, START_S + 4, makerAmountFilled="500000"))
    loop.run_for(100)

    assert "500000" == loop.standing()["4"].maker_amount
    assert [("resync", "reorg: 1 events have changed: 4")] == loop.told()


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

    assert {*(f"{number:05}" for number in range(2500) if number != 2400), "00100x"} == loop.standing().keys()
    assert ["backfilled", "gap"] == [kind for kind, _ in loop.told()]


def test_memory_holds_ten_minutes_and_never_more_than_its_bound():
    recheck = Recheck(Cursor(0, ""))
    for second in range(70):
        recheck.compare([_row(f"{second}-{number}", second) for number in range(1000)])

    assert len(recheck._known) <= goldsky_recheck.MOST_EVENTS * 5 // 4


def test_what_is_older_than_ten_minutes_is_not_read_again():
    recheck = Recheck(Cursor(0, ""))
    recheck.compare([_row("old", 1000), _row("new", 1700)])
    recheck.begin(Cursor(1700, "new"))

    assert Cursor(1100, "") == recheck.after


def test_what_leaves_memory_during_a_walk_does_not_come_late():
    recheck = Recheck(Cursor(0, ""))
    recheck.compare([_row("old", 1)])
    recheck.begin(Cursor(1, "old"))
    recheck.compare([_row(f"{number}", 5000) for number in range(goldsky_recheck.MOST_EVENTS * 5 // 4)])

    assert not any(recheck.walk([_row("old", 1)]))


def test_what_the_feed_has_yet_to_read_does_not_come_late():
    recheck = Recheck(Cursor(0, ""))
    recheck.compare([_row("a", 1)])
    recheck.begin(Cursor(1, "a"))

    assert not any(recheck.walk([_row("a", 1), _row("b", 2)]))


def test_an_event_that_moved_inside_the_window_is_remembered_by_its_new_time():
    recheck = Recheck(Cursor(0, ""))
    recheck.compare([_row("moved", 1000), _row("newest", 1500)])
    recheck.begin(Cursor(1500, "newest"))
    recheck.walk([_row("moved", 1400), _row("newest", 1500)])
    recheck.end()
    recheck.compare([_row("far", 1900)])
    recheck.begin(Cursor(1900, "far"))

    assert not any(recheck.walk([_row("moved", 1400)]))


@effort(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "late", "vanish", "retime", "wait", "spoil"]), st.integers(0, 99)),
        max_size=40,
    ),
    st.integers(2, 50),
)
def test_after_any_reorganisations_what_stands_is_what_the_subgraph_holds(changes, cap):
    subgraph = Subgraph(most_rows=cap)
    subgraph.add(*ten())
    loop, newest = Loop(subgraph), START_S + 10
    loop.run_for(30)
    for number, (change, which) in enumerate(changes):
        at = START_S + which % 10 if change == "late" else newest
        if change in ("add", "late"):
            subgraph.add(row(f"new{number}", at))
            newest += change == "add"
        elif change == "vanish" and subgraph.rows:
            subgraph.remove(sorted(subgraph.rows)[which % len(subgraph.rows)])
        elif change == "retime" and subgraph.rows:
            subgraph.add(row(sorted(subgraph.rows)[which % len(subgraph.rows)], newest))
        loop.run_for(which) if change == "wait" else loop.turn(spoil=b"{" if change == "spoil" else None)
    loop.run_for(300)

    assert {key: int(told["timestamp"]) for key, told in subgraph.rows.items()} == {
        key: event.event_ns // 10**9 for key, event in loop.standing().items()
    }


def _row(key: str, timestamp: int) -> Row:
    return Row(key, str(timestamp), "", "", "", "", "0", "1", "1", "1", "0")


def test_an_event_that_has_lost_a_field_has_not_vanished():
    loop = read_up(*ten())
    loop.subgraph.add({name: value for name, value in row(3, START_S + 3).items() if name != "fee"})
    loop.run_for(300)

    assert [("schema_change", msgspec.json.encode(loop.subgraph.rows["3"]).decode())] == loop.told()
    assert 1 == sum(isinstance(record, DeadLetter) for record in loop.records)
    assert list("0123456789") == list(loop.standing())


def test_nothing_has_vanished_in_a_walk_that_met_a_row_without_a_place():
    recheck = Recheck(Cursor(0, ""))
    recheck.compare([_row("a", 1), _row("b", 2)])
    recheck.begin(Cursor(2, "b"))
    recheck.walk([_row("b", 2)], [Odd(b"{}", "no id", None)])

    assert [] == recheck.end()


def test_events_that_are_all_odd_from_now_on_do_not_make_the_second_walk_grow():
    recheck = Recheck(Cursor(0, ""))
    recheck.compare([_row("last", 1000)])

    assert not recheck.begin(Cursor(1601, "odd"))
