"""The operators' command line against real servers, and against none."""

import json
import os
import subprocess
import sys

import polars as pl
import pytest

from common.heartbeat import VERSION
from monitoring.cli.app import COMMANDS, FAMILIES
from monitoring.cli.exits import USAGE
from tests.cli_kit import house, nowhere, run
from tests.fleet_harness import ROOT

__all__ = ["house", "nowhere", "run"]


def every_command():
    for name, _, _ in COMMANDS:
        yield (name,)
    for family in FAMILIES:
        yield (family.name,)
        yield from ((family.name, name) for name, _, _ in family.commands)


@pytest.mark.parametrize("words", list(every_command()), ids=" ".join)
def test_every_command_explains_itself_with_examples(run, words):
    code, out, _ = run({}, *words, "--help")

    assert code == 0
    assert f"fleet {words[0]}" in out
    assert "Examples" in out


def test_a_shell_completes_commands_and_those_under_them():
    asked = {"_FLEET_COMPLETE": "complete_bash", "COMP_WORDS": "./fleet streams s", "COMP_CWORD": "2"}
    command = [sys.executable, "-m", "monitoring.cli"]
    done = subprocess.run(command, cwd=ROOT, env={**asked, "PATH": os.environ["PATH"]}, capture_output=True, check=True)

    assert b"show" == done.stdout.strip()


def test_the_first_command_of_a_family_is_meant_when_none_is_named(run, nowhere):
    assert run(nowhere, "config", "--json") == run(nowhere, "config", "show", "--json")


def test_config_check_tells_a_slip_from_what_is_sound(run, tmp_path):
    sound, _, _ = run({"BINANCE_SYMBOLS": "ETHUSDT"}, "config", "check")
    (tmp_path / ".env").write_text("BINANCE_SYMBOL=SLIP\n")
    slip, _, said = run({}, "config", "check")
    bad, _, _ = run({"REDIS_PORT": "abc"}, "config", "check")
    _, path, _ = run({}, "config", "path")

    assert (0, 1, 78) == (sound, slip, bad)
    assert "BINANCE_SYMBOL" in said
    assert f"{tmp_path / '.env'}\n" == path


def test_config_check_and_path_say_as_json_what_they_say_in_words(run, tmp_path):
    sound, good, _ = run({"BINANCE_SYMBOLS": "ETHUSDT"}, "config", "check", "--json")
    bad, broken, _ = run({"REDIS_PORT": "abc"}, "config", "check", "--json")
    _, path, _ = run({}, "config", "path", "--json")

    assert (0, {"sound": True, "chosen": 1, "unknown": [], "problems": []}) == (sound, json.loads(good))
    assert (78, False, 1) == (bad, json.loads(broken)["sound"], len(json.loads(broken)["problems"]))
    assert {"path": str(tmp_path / ".env"), "exists": False} == json.loads(path)


def test_config_shows_only_what_was_changed(run):
    _, out, _ = run({"OKX_SYMBOLS": "A-B,C-D", "TELEGRAM_TOKEN": "hush"}, "config", "--changed", "--json")

    assert [("TELEGRAM_TOKEN", "***"), ("OKX_SYMBOLS", "A-B,C-D")] == [
        (row["name"], row["value"]) for row in json.loads(out)
    ]


@pytest.mark.parametrize("tool", ["redis", "clickhouse", "supervisor"])
def test_a_cheat_sheet_has_the_addresses_of_this_fleet_and_no_password(run, tool):
    environment = {"REDIS_PORT": "7777", "CLICKHOUSE_PORT": "8888", "REDIS_PASSWORD": "hush", "REDIS_HOST": "db"}
    _, out, _ = run(environment, "help", tool)

    assert {"redis": "-h db -p 7777", "clickhouse": ":8888/", "supervisor": "supervisorctl status"}[tool] in out
    assert "hush" not in out


def test_the_version_says_which_server_does_not_answer(run, nowhere):
    code, out, _ = run(nowhere, "version", "--json")
    told = json.loads(out)

    assert (0, VERSION, "does not answer") == (code, told["tickfleet"], told["redis"])


def test_a_session_that_is_not_there_is_not_replayed(run):
    code, _, err = run({}, "replay", "nothing.jsonl.gz")

    assert (1, True) == (code, "nothing.jsonl.gz: no such file" in err)


def test_a_file_is_looked_for_where_the_prompt_is(run, tmp_path):
    _, _, err = run({"FLEET_FROM": str(tmp_path)}, "replay", "nothing.jsonl.gz")

    assert f"{tmp_path}/nothing.jsonl.gz: no such file" in err


@pytest.mark.parametrize("words", [("nonsense",), ("tail", "nothing_like_it"), ("sql", "SELECT 1", "--format", "xml")])
def test_a_slip_of_the_pen_exits_2(run, nowhere, words):
    assert run(nowhere, *words)[0] == 2


def test_bad_settings_exit_78_with_every_problem_and_no_data(run):
    code, out, err = run({"REDIS_PORT": "abc", "BOOKS_SHARDS": "0"}, "config")

    assert (78, "") == (code, out)
    assert "REDIS_PORT" in err
    assert "BOOKS_SHARDS" in err


@pytest.mark.parametrize(
    "words", [("status",), ("streams",), ("groups",), ("tail", "trades"), ("venues",), ("dlq", "ls")]
)
def test_without_redis_one_line_says_so_and_the_exit_code_is_4(run, nowhere, words):
    code, out, err = run(nowhere, *words)

    assert (4, "") == (code, out)
    assert err.startswith("fleet: redis does not answer: ")
    assert 1 == err.count("\n")


def test_without_clickhouse_one_line_says_so_and_the_exit_code_is_4(run, nowhere):
    code, out, err = run(nowhere, "sql", "SELECT 1")

    assert (4, "", 1) == (code, out, err.count("\n"))
    assert err.startswith("fleet: clickhouse does not answer: ")


def test_the_doctor_sees_that_nothing_runs_and_names_the_remedy(run, nowhere):
    code, out, _ = run(nowhere, "doctor", "--json")
    faults = {finding["check"]: finding["fix"] for finding in json.loads(out) if finding["grade"] == "fault"}

    assert 4 == code
    assert {"redis", "clickhouse"} == set(faults)
    assert all(faults.values())


def test_config_tells_where_each_value_comes_from_and_hides_secrets(run, tmp_path):
    (tmp_path / ".env").write_text("CLICKHOUSE_PASSWORD=hush\nBINANCE_SYMBOLS=BTCUSDT\nBINANCE_SYMBOL=SLIP\n")
    environment = {"REDIS_URL": "redis://user:hush@db.example:6379/0", "BINANCE_SYMBOLS": "ETHUSDT"}
    code, out, err = run(environment, "config", "--json")
    found = {row["name"]: (row["value"], row["origin"]) for row in json.loads(out)}

    assert 0 == code
    assert ("***", ".env") == found["CLICKHOUSE_PASSWORD"]
    assert ("ETHUSDT", "env") == found["BINANCE_SYMBOLS"]
    assert ("redis://***@db.example:6379/0", "env") == found["REDIS_URL"]
    assert (4, "default") == found["BOOKS_SHARDS"]
    assert "hush" not in out + err
    assert "BINANCE_SYMBOL in .env is no setting of ours" in err


@pytest.mark.redis
@pytest.mark.clickhouse
class TestRunning:
    def test_status_is_degraded_while_a_program_is_missing(self, run, house):
        code, out, _ = run(house.environment, "status", "--json")
        view = json.loads(out)

        assert (3, 3, "down") == (code, view["exit_code"], view["level"])
        assert {"binance_ingester": "down", "clickhouse_writer": "well"} == {
            process["name"]: process["verdict"]["level"] for process in view["processes"]
        }
        assert 11 == next(row["records_total"] for row in view["streams"] if row["topic"] == "trades")
        assert 10 == next(row["rows"] for row in view["tables"] if row["name"] == "trades")

    def test_status_says_it_on_one_screen_too(self, run, house):
        code, out, _ = run(house.environment, "status")

        assert 3 == code
        assert "no heartbeat" in out
        assert "goldsky_ingester  disabled: switched off" in out

    def test_groups_name_owner_position_and_what_is_behind(self, run, house):
        _, out, _ = run(house.environment, "groups", "clickhouse_writer", "--json")
        place = next(place for place in json.loads(out) if place["key"] == "stream:trades")

        assert ("clickhouse_writer", 11, 0, 0) == tuple(
            place[name] for name in ("owner", "position", "behind_records", "pending_entries")
        )

    def test_tail_shows_the_newest_records_and_joins_no_group(self, run, house):
        before = house.redis.xinfo_groups("stream:trades")
        code, out, _ = run(house.environment, "tail", "stream:trades", "-n", "2", "--json", "--where", "symbol=BTCUSDT")
        lines = [json.loads(line) for line in out.splitlines()]

        assert 0 == code
        assert [(7, "7"), (9, "9")] == [(line["offset"], line["record"]["trade_id"]) for line in lines]
        assert before == house.redis.xinfo_groups("stream:trades")

    def test_a_dead_letter_is_listed_once_and_shown_whole(self, run, house):
        _, out, _ = run(house.environment, "dlq", "ls", "--json")
        (letter,) = json.loads(out)
        code, shown, _ = run(house.environment, "dlq", "show", letter["id"][:8], "--payload")

        assert ("clickhouse_writer", 0, '{"venue":"nowhere"}') == (letter["program"], code, shown)

    def test_a_dead_letter_that_is_not_there_exits_1(self, run, house):
        assert (1, "") == run(house.environment, "dlq", "show", "zzz")[:2]

    def test_sql_answers_in_every_format(self, run, house):
        query = "SELECT symbol, count() AS n, sum(size) AS size FROM trades GROUP BY symbol ORDER BY symbol"
        rows = [{"symbol": "BTCUSDT", "n": 5, "size": 2.5}, {"symbol": "ETHUSDT", "n": 5, "size": 2.5}]

        assert rows == json.loads(run(house.environment, "sql", query, "--json")[1])
        assert '"BTCUSDT",5,2.5' in run(house.environment, "sql", query, "--format", "csv")[1]
        assert "BTCUSDT" in run(house.environment, "sql", query)[1]

    @pytest.mark.parametrize(
        "statement",
        ["INSERT INTO schema_migrations (version) VALUES (9)", "DROP TABLE trades", "TRUNCATE TABLE trades"],
    )
    def test_sql_writes_nothing_unless_told_to(self, run, house, statement):
        code, out, err = run(house.environment, "sql", statement)

        assert (1, "") == (code, out)
        assert "readonly" in err
        assert [(10,)] == house.sql("SELECT count() FROM trades")

    def test_sql_writes_when_told_to(self, run, house):
        code, _, _ = run(house.environment, "sql", "CREATE TABLE scratch (a UInt8) ENGINE = Memory", "--write")

        assert (0, [(1,)]) == (code, house.sql("SELECT count() FROM system.tables WHERE name = 'scratch'"))

    def test_a_wrong_query_exits_1_with_the_engines_words(self, run, house):
        code, out, err = run(house.environment, "sql", "SELECT nothing FROM trades")

        assert (1, "") == (code, out)
        assert "UNKNOWN_IDENTIFIER" in err

    def test_schema_tells_version_and_columns(self, run, house):
        code, out, _ = run(house.environment, "schema", "--json")
        told = json.loads(out)
        columns = json.loads(run(house.environment, "schema", "trades", "--json")[1])

        assert (0, told["expected"]) == (code, told["version"])
        assert "Decimal(38, 18)" == next(column["type"] for column in columns if column["name"] == "price")

    def test_the_schema_differs_in_nothing_and_then_in_one_column(self, run, house):
        same, out, _ = run(house.environment, "schema", "diff", "--json")
        house.command("ALTER TABLE statuses ADD COLUMN stranger UInt8")
        differs, told, _ = run(house.environment, "schema", "diff", "--json")
        house.command("ALTER TABLE statuses DROP COLUMN stranger")

        assert (0, []) == (same, json.loads(out))
        assert (3, [{"table": "statuses", "column": "stranger", "expected": "", "found": "UInt8"}]) == (
            differs,
            json.loads(told),
        )

    def test_a_stream_shows_its_shards_its_writers_and_its_readers(self, run, house):
        code, out, _ = run(house.environment, "streams", "show", "stream:trades", "--json")
        told = json.loads(out)

        assert (0, "trades", ["binance_ingester"]) == (code, told["topic"], told["shards"][0]["appended_by"])
        assert (11, True) == (told["shards"][0]["records_total"], told["shards"][0]["memory_bytes"] > 0)
        assert {"clickhouse_writer"} == {group["name"] for group in told["groups"]}

    def test_sql_gives_up_when_it_was_told_to(self, run, house):
        slow = "SELECT count() FROM numbers(1e12) WHERE NOT ignore(sipHash64(number))"
        code, _, err = run(house.environment, "sql", slow, "--timeout", "1")

        assert (1, True) == (code, "Timeout exceeded" in err)

    def test_sql_shows_the_beginning_of_a_long_answer_and_says_so(self, run, house):
        _, out, err = run(house.environment, "sql", "SELECT number FROM numbers(5000)")

        assert 1001 == len(out.splitlines())
        assert "only the first 1,000 rows are shown" in err

    def test_venues_say_why_one_is_off(self, run, house):
        _, out, _ = run(house.environment, "venues", "--json")

        assert [("binance", True, "no heartbeat", ""), ("goldsky", False, "off", "switched off")] == [
            (row["venue"], row["enabled"], row["state"], row["why"]) for row in json.loads(out)
        ]

    def test_the_doctor_names_the_program_that_is_missing(self, run, house):
        code, out, _ = run(house.environment, "doctor", "--json")
        faults = {finding["check"]: finding["fix"] for finding in json.loads(out) if finding["grade"] == "fault"}

        assert (3, {"binance_ingester"}) == (code, set(faults))
        assert "supervisorctl" in faults["binance_ingester"]

    def test_a_parquet_file_comes_out_of_a_pipe_whole(self, house):
        command = [sys.executable, "-m", "monitoring.cli", "sql", "SELECT * FROM trades", "--format", "parquet"]
        environment = {**house.environment, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
        done = subprocess.run(command, cwd=house.folder, env=environment, capture_output=True, check=True)

        assert (b"PAR1", b"PAR1") == (done.stdout[:4], done.stdout[-4:])


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_export_writes_the_rows_that_were_asked_for(house, run, tmp_path, ending):
    file = tmp_path / f"trades.{ending}"

    code, out, _ = run(house.environment, "export", "trades", "--symbol", "BTCUSDT", "--to", str(file))

    read = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[ending](file)
    assert (0, 5, {"BTCUSDT"}) == (code, len(read), set(read["symbol"]))
    assert "5 rows" in out
    assert [file.name] == [found.name for found in tmp_path.iterdir()]


def test_export_writes_to_where_the_prompt_is(house, run, tmp_path):
    environment = {**house.environment, "FLEET_FROM": str(tmp_path)}

    code, _, _ = run(environment, "export", "trades", "--from", "2020-01-01", "--to", "trades.csv")

    assert (0, ["trades.csv"]) == (code, [found.name for found in tmp_path.iterdir()])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "--to", "x.csv"), "no such table"),
        (("trades", "--to", "x.doc"), "ends in .parquet"),
        (("trades", "--to", "x.csv", "--since", "yesterday"), "expected 10m"),
        (("dead_letters; DROP TABLE trades", "--to", "x.csv"), "no such table"),
    ],
)
def test_export_says_what_it_cannot_do(house, run, words, said):
    code, _, error = run(house.environment, "export", *words)

    assert USAGE == code
    assert said in error


def test_export_since_then_leaves_older_rows_out(house, run, tmp_path):
    file = tmp_path / "trades.csv"

    code, out, _ = run(house.environment, "export", "trades", "--since", "1d", "--to", str(file))

    assert (0, True) == (code, "0 rows" in out)


def test_symbols_chosen_while_running_replace_those_of_the_settings(house, run):
    run(house.environment, "symbols", "binance", "--set", "SOLUSDT", "--add", "XRPUSDT")
    _, chosen, _ = run(house.environment, "symbols", "binance", "--json")
    run(house.environment, "symbols", "binance", "--set", "")
    _, configured, _ = run(house.environment, "symbols", "binance_ingester", "--json")

    assert ["SOLUSDT", "XRPUSDT"] == [row["symbol"] for row in json.loads(chosen)]
    assert [("BTCUSDT", "settings"), ("ETHUSDT", "settings")] == [
        (row["symbol"], row["from"]) for row in json.loads(configured)
    ]


def test_record_switches_the_recording_of_a_venue(house, run):
    _, on, _ = run(house.environment, "record", "binance", "--json")
    _, off, _ = run(house.environment, "record", "binance", "--stop", "--json")
    code, _, error = run(house.environment, "record", "nowhere")
    written = [json.loads(entry["data"]) for _, entry in house.redis.xrevrange("stream:actions", count=2)]

    assert [("end recording", "./fleet record binance --stop"), ("record", "./fleet record binance")] == [
        (action["action"], action["command"]) for action in written
    ]
    assert [("binance_ingester", True)] == [(row["program"], row["is_on"]) for row in json.loads(on)]
    assert [] == json.loads(off)
    assert (USAGE, True) == (code, "no such venue" in error)


def test_quality_has_a_line_for_each_venue_with_what_was_told_of_it(house, run):
    code, out, _ = run(house.environment, "quality", "--since", "2023-11-14T00:00", "--json")
    (line,) = json.loads(out)
    shown_code, shown, _ = run(house.environment, "quality", "--since", "2023-11-14")

    assert (0, "binance", 10, 2, 0, 0, 100.0, []) == (
        code,
        *(line[name] for name in ("venue", "records", "symbols", "gaps", "late", "in_sync_pct", "told")),
    )
    assert 0 == round(line["under_way_p50_ms"], 3)
    assert (0, True) == (shown_code, "100.000" in shown)


def test_quality_refuses_a_time_that_is_none(house, run):
    code, _, error = run(house.environment, "quality", "--since", "yesterday")

    assert (USAGE, True) == (code, "expected 10m" in error)


def test_a_group_that_nobody_reads_is_forgotten_only_when_told_twice(house, run):
    house.redis.xgroup_create("stream:trades", "old_reader", id="0")

    first, _, said = run(house.environment, "forget", "old_reader")
    still = [group["name"] for group in house.redis.xinfo_groups("stream:trades")]
    second, _, _ = run(house.environment, "forget", "old_reader", "--yes")
    gone = [group["name"] for group in house.redis.xinfo_groups("stream:trades")]
    busy, _, refused = run(house.environment, "forget", "clickhouse_writer", "--topic", "trades", "--yes")

    assert (0, 0, True) == (first, second, "nothing was changed" in said)
    assert {"old_reader"} == set(still) - set(gone)
    assert (1, True) == (busy, "supervisorctl stop" in refused)
