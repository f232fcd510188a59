"""What is changed from the command line is written down: who, from where, what, by which command, and how it ended."""

import asyncio
import getpass
import json

import msgspec
import pytest

from common.records import Action
from monitoring.doing.deeds import Deed, do
from tests.cli_kit import house, nowhere, run
from tests.deed_kit import WHO, ask
from tests.fleet_harness import free_port

__all__ = ["house", "nowhere", "run"]

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]

PAST = ("--from", "2023-11-14T22:00", "--to", "2023-11-14T23:00", "--symbol", "BTCUSDT", "--no-wait")


def acted(house):
    """Return all that was written down, the oldest first."""
    return [msgspec.json.decode(fields["data"], type=Action) for _, fields in house.redis.xrange("stream:actions")]


def facts(action):
    return action.action, action.subject, action.command, action.before, action.after, action.outcome


def test_a_backfill_is_written_down_when_it_is_asked_for_and_not_when_it_is_asked_for_again(house, run):
    before = len(acted(house))
    codes = [run(house.environment, "backfill", "binance", *PAST)[0] for _ in range(2)]
    (one,) = acted(house)[before:]
    command = "./fleet backfill binance --from 2023-11-14T22:00 --to 2023-11-14T23:00 --symbol BTCUSDT"

    assert [0, 0] == codes
    assert (getpass.getuser(), "fleet") == (one.who, one.way)
    assert ("backfill", "binance", command, "not asked for", "done") == (*facts(one)[:4], one.outcome)
    assert one.after.startswith("asked for: BTCUSDT (")


def test_a_schema_brought_up_to_date_is_written_down_and_told_as_json(house, run):
    code, out, _ = run(house.environment, "schema", "apply", "--json")
    last, told = acted(house)[-1], json.loads(out)

    assert (0, []) == (code, told["applied"])
    stands = f"version {told['version']}"
    assert ("schema apply", told["database"], "./fleet schema apply", stands, stands, "done") == facts(last)


def test_a_schema_newer_than_this_code_is_written_down_as_not_done(house, run):
    house.sql("INSERT INTO schema_migrations (version, name, digest) VALUES (9999, 'later', '')")
    try:
        code, _, _ = run(house.environment, "schema", "apply")
    finally:
        house.sql("DELETE FROM schema_migrations WHERE version = 9999")

    assert (1, "schema apply", True) == (
        code,
        acted(house)[-1].action,
        acted(house)[-1].outcome.startswith("failed: "),
    )


def test_a_test_of_who_is_told_is_written_down_with_who_did_not_take_it(house, run):
    deaf = {**house.environment, "NOTIFICATION_URL": f"http://127.0.0.1:{free_port()}"}
    code, out, _ = run(deaf, "alerts", "test", "--json")
    last = acted(house)[-1]

    assert (1, [("webhook", False)]) == (code, [(row["name"], row["told"]) for row in json.loads(out)])
    assert ("test alerts", "webhook", "./fleet alerts test", "", "done") == (*facts(last)[:4], last.outcome)
    assert last.after.startswith("webhook: ")


def test_a_statement_that_changes_something_is_written_down_and_so_is_one_that_was_refused(house, run):
    made = "CREATE TABLE noted (a UInt8) ENGINE = Memory"
    codes = [run(house.environment, "sql", text, "--write")[0] for text in (made, "DROP TABLE nowhere")]
    done, refused = acted(house)[-2:]

    assert [0, 1] == codes
    assert ("sql", f"./fleet sql --write '{made}'", "done") == (done.action, done.command, done.outcome)
    assert ("./fleet sql --write 'DROP TABLE nowhere'", True) == (
        refused.command,
        refused.outcome.startswith("failed: "),
    )


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (("forget", "clickhouse_writer", "--yes"), "forget"),
        (("alerts", "mute", "lag", "0"), "unmute"),
        (("alerts", "test"), "test alerts"),
    ],
)
def test_what_was_refused_is_written_down_with_the_reason(house, run, words, action):
    run(house.environment, *words)
    last = acted(house)[-1]

    assert (action, True) == (last.action, last.outcome.startswith("refused: "))


def test_a_recording_is_written_down_with_what_was_before(house, run):
    run(house.environment, "record", "binance")
    run(house.environment, "record", "binance", "--stop")
    begun, ended = acted(house)[-2:]

    assert ("record", "binance_ingester not recorded", "recorded") == (begun.action, begun.before, begun.after)
    assert ("end recording", "binance_ingester recorded", "no longer recorded") == (
        ended.action,
        ended.before,
        ended.after,
    )


def test_letters_dropped_by_words_of_their_reason_are_written_down_under_that_command(house, run):
    (letter,) = json.loads(run(house.environment, "dlq", "ls", "--json")[1])
    words = letter["reason"][:12]
    before = len(acted(house))
    run(house.environment, "dlq", "drop", "--reason", "no such reason")
    run(house.environment, "dlq", "drop", "--reason", words)
    (one,) = acted(house)[before:]

    assert ("drop", words, "1 letters", "1 dropped", "done") == (one.action, one.subject, *facts(one)[3:])
    assert "./fleet dlq drop --reason " in one.command


def test_a_deed_that_somebody_broke_off_is_written_down_as_such(house):
    async def act(redis):
        begun = asyncio.Event()

        async def run():
            begun.set()
            await asyncio.Event().wait()

        doing = asyncio.create_task(
            do(redis, Deed("redrive", "all dead letters", "./fleet dlq redrive --all", run), WHO)
        )
        await begun.wait()
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing

    ask(house, act)

    assert ("redrive", "interrupted: a part of it may be done") == (acted(house)[-1].action, acted(house)[-1].outcome)


def test_what_could_not_be_written_down_is_said(house, run):
    alone = {**house.environment, "REDIS_PORT": str(free_port())}
    code, _, said = run(alone, "sql", "CREATE TABLE unnoted (a UInt8) ENGINE = Memory", "--write")

    assert (0, True) == (code, "done; not written down: " in said)
