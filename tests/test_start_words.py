"""The words of start.sh and stop.sh: as wide as a terminal, and no wider."""

from common.schema import migrations
from launch.report import WIDTH, Steps, counts, tell
from setup_schema import done


def test_a_long_story_goes_on_below_its_beginning(capsys):
    tell("   waiting   okx_ingester  ", "no connection to wss://ws.okx.com/ws/v5/business: Name or service not known")

    first, second = capsys.readouterr().out.splitlines()
    assert "   waiting   okx_ingester  no connection to wss://ws.okx.com/ws/v5/business:" == first
    assert "                           Name or service not known" == second


def test_of_an_endless_story_the_end_is_left_out(capsys):
    tell("   waiting   okx_ingester  ", "over and over again " * 100, 2)

    first, second = capsys.readouterr().out.splitlines()
    assert second.endswith(" …")
    assert max(len(first), len(second)) <= WIDTH


def test_a_number_stands_on_the_line_of_its_name(capsys):
    tell(" saved     ", counts({f"table_{number:02}": 10_000 + number for number in range(30)}))

    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= WIDTH
    assert all(f"table_{number:02} {10_000 + number:,}" in said for number in range(30))


def test_a_first_start_names_its_migrations_on_one_short_line(capsys):
    Steps().done(5, f"schema     123 tables, 123 views, {done(migrations())}")

    assert WIDTH >= len(capsys.readouterr().out.rstrip())


def test_the_schema_says_what_was_applied_now():
    every = migrations()

    assert f"migrations 0001 to {len(every):04}" == done(every)
    assert f"migration {len(every):04}" == done(every[-1:])
    assert f"at migration {len(every):04}" == done([])
