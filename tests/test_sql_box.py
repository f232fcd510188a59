"""What the SQL box asks, and what it makes of the answer, of a refusal and of a long value."""

import asyncio

import msgspec
import pytest

from common.errors import StoreRefused
from common.settings import Settings
from monitoring.sql_box import LONGEST_TEXT, MOST_CELLS, NoTable, SqlBox, Table, stated, table_of, why
from monitoring.views.sql import cell, command, lines, recipes
from tests.embedded_fixtures import EmbeddedClickHouse


@pytest.mark.clickhouse
def test_a_user_who_may_only_read_is_held_to_the_limits_too(tmp_path):
    users = tmp_path / "users.json"
    users.write_text('{"dashboard": {"password": "look", "readonly": 2}}')
    server = EmbeddedClickHouse(tmp_path / "data", "--users", str(users))
    settings = {"clickhouse_port": server.port, "clickhouse_database": "default", "clickhouse_user": "dashboard"}
    box = SqlBox(Settings(clickhouse_password="look", **settings))
    try:
        answer = asyncio.run(box.ask("SELECT getSetting('readonly'), getSetting('max_threads')"))
        with pytest.raises(StoreRefused, match="max_execution_time"):
            asyncio.run(box.ask("SELECT 1 SETTINGS max_execution_time = 0"))
    finally:
        box.close()
        server.stop()

    assert ((1, 1),) == answer.rows


@pytest.mark.parametrize("text", ["", " ; ", "x" * (LONGEST_TEXT + 1), "SELECT 1 format JSON;"])
def test_what_cannot_be_asked_is_not(text):
    with pytest.raises(NoTable):
        stated(text)


def test_the_end_of_a_statement_is_left_out():
    assert "SELECT 1\n, 2" == stated(" SELECT 1\r\n, 2 ;\n")


def test_an_answer_of_nothing_at_all_is_a_table_without_columns():
    assert Table((), (), (), has_more=False, took_s=0.1) == table_of([], 0.1)


def test_a_table_of_many_columns_is_shown_with_fewer_rows_and_says_so():
    columns = MOST_CELLS // 10
    row = msgspec.json.encode(["a"] * columns)
    table = table_of([row] * 13, 0.1)

    assert (10, True) == (len(table.rows), table.has_more)


def test_an_answer_that_breaks_off_is_no_short_table():
    broken = [b'["a"]', b'["UInt8"]', b"[1]", b"Code: 159. DB::Exception: Timeout exceeded (version 26)"]
    with pytest.raises(StoreRefused, match="Timeout exceeded"):
        table_of(broken, 0.1)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT 1", "./fleet sql 'SELECT 1'"),
        ("SELECT 'a'", """./fleet sql "SELECT 'a'\""""),
        ("SELECT '$(reboot)'", """./fleet sql 'SELECT '"'"'$(reboot)'"'"''"""),
        ("-- first\r\nSELECT 1", "./fleet sql -- '-- first\nSELECT 1'"),
    ],
)
def test_the_same_as_a_command_runs_nothing_else(query, told):
    assert told == command(query)


def test_a_long_value_says_how_much_of_it_is_not_shown():
    assert f"{'x' * 500} ... 1,500 characters more" == cell("x" * 2_000)


def test_columns_of_one_name_are_told_apart():
    table = Table(("a", "a", "a_2"), ("UInt8",) * 3, ((1, 2, 3),), has_more=False, took_s=0.1)

    assert [{"a": 1, "a_2": 2, "a_2_2": 3}] == list(lines(table))


def test_recipes_are_those_of_the_cookbook():
    assert "How wide the spread is" in [recipe.title for recipe in recipes()]
    assert all(recipe.sql.startswith(("SELECT", "WITH")) for recipe in recipes())


def test_a_user_who_cannot_be_narrowed_is_told_which_one_can():
    refused = StoreRefused("query", code=164, reason="Cannot modify 'readonly' setting in readonly mode.")

    assert "deploy/clickhouse-users.sql" in why(refused, "SELECT 1")
    assert refused.reason == why(refused, "SELECT 1 SETTINGS readonly = 0")
