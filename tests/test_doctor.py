"""The doctor names the fault and the command that mends it."""

import pytest

from common.readings import ProgramReading
from monitoring.cli.upkeep import of_consumers, of_doors, of_groups, of_windows
from monitoring.doing.connections import Tried
from tests.snapshot_kit import group, redis_reading

WRITER = ProgramReading("clickhouse_writer", ("clickhouse_writer",), "processor", "", enabled=True, why="")


def test_a_group_whose_program_does_not_run_is_named_with_the_command_that_ends_it():
    (found,) = of_groups(redis_reading(groups=(group(), group("old_reader")), programs=(WRITER,)))

    assert ("group old_reader", "warning") == (found.check, found.grade)
    assert "fleet forget old_reader" in found.fix


@pytest.mark.parametrize("programs", [(WRITER,), None])
def test_groups_that_have_a_program_or_of_which_nothing_is_known_are_fine(programs):
    (found,) = of_groups(redis_reading(programs=programs))

    assert ("groups", "ok") == (found.check, found.grade)


@pytest.mark.parametrize(("entries", "idle_s", "grade"), [(5, 900, "warning"), (0, 900, "ok"), (5, 10, "ok")])
def test_only_a_consumer_that_holds_entries_for_long_is_left_behind(entries, idle_s, grade):
    assert grade == of_consumers([("stream:trades", "stream:trades", entries, idle_s)]).grade


def test_a_table_that_forgets_its_inserts_is_a_fault_with_the_statement_that_mends_it():
    found = of_windows({"trades": 0, "quotes": 10_000, "somebody_elses": 0})

    assert "fault" == found.grade
    assert "ALTER TABLE trades MODIFY SETTING non_replicated_deduplication_window = 10000" == found.fix


def test_a_venue_that_cannot_be_reached_says_which_of_its_doors_is_shut():
    doors = [
        Tried("https://a", "answers (HTTP 200)", is_well=True, took_ms=9),
        Tried("wss://b", "refuses", is_well=False, took_ms=1),
    ]
    found = of_doors("okx_ingester", doors)

    assert ("okx_ingester venue", "warning", "wss://b refuses") == (found.check, found.grade, found.found)
