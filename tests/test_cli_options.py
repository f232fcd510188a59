"""What every command takes: JSON of what it did, silence, no colour; and every example that is told is understood."""

import json
import re
import shlex

import pytest

from monitoring.cli.app import COMMANDS, FAMILIES
from tests.cli_kit import house, nowhere, run
from tests.test_actions_as_commands import is_understood

__all__ = ["house", "nowhere", "run"]

DEED = {"what", "touches", "words", "done", "refused", "after"}
EXAMPLES = {text for _, _, text in COMMANDS} | {text for family in FAMILIES for _, _, text in family.commands}


def examples():
    """Every command of ours in an example, without what it is piped into."""
    for text in sorted(EXAMPLES):
        for line in re.split(r"\s\|\s|\s&&\s|\s\|\|\s|\n", text.replace("Examples:", "")):
            command = line.split(" >")[0].strip()
            if command.startswith("fleet "):
                yield command


@pytest.mark.parametrize("command", list(dict.fromkeys(examples())))
def test_an_example_of_the_help_is_understood(command, tmp_path):
    (tmp_path / "payload.json").write_text("{}")

    assert is_understood(f"./{command}", tmp_path)


def test_examples_stand_one_a_line_so_that_none_is_taken_for_a_part_of_a_pipe(run):
    _, out, _ = run({}, "status", "--help")

    assert {"fleet status", "fleet status --json | jq .level"} <= {line.strip() for line in out.splitlines()}


@pytest.mark.parametrize("name", ["version", "groups", "dlq redrive"])
def test_every_command_takes_silence_and_no_colour(run, nowhere, name):
    _, out, _ = run(nowhere, *shlex.split(name), "--help")

    assert "--no-color" in out
    assert "--quiet" in out


def test_no_colour_is_shown_when_none_is_wanted(run, nowhere, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, coloured, _ = run(nowhere, "doctor")
    _, plain, _ = run(nowhere, "doctor", "--no-color")

    assert ("\x1b[" in coloured, "\x1b[" in plain) == (True, False)


def test_a_quiet_command_ends_with_its_exit_code_alone(run, nowhere):
    assert (4, "", "") == run(nowhere, "status", "--quiet")


def test_the_version_is_told_to_who_asks_as_every_program_is_asked(run, nowhere):
    code, out, _ = run(nowhere, "--version")

    assert (0, True) == (code, out.startswith("fleet "))


@pytest.mark.redis
@pytest.mark.clickhouse
class TestDeeds:
    def test_what_an_action_would_touch_and_has_done_is_told_as_json(self, run, house):
        looked = json.loads(run(house.environment, "claim", "clickhouse_writer", "stream:trades", "--json")[1])
        _, paused, _ = run(house.environment, "pause", "clickhouse_writer", "--topic", "markets", "--json")
        _, resumed, _ = run(house.environment, "resume", "clickhouse_writer", "--topic", "markets", "--json")

        assert (DEED, False, "") == (set(looked), looked["done"], looked["refused"])
        assert ["stream:trades"] == [touched["what"] for touched in looked["touches"]]
        assert (True, "paused", True) == (*map(json.loads(paused).get, ("done", "after")), json.loads(resumed)["done"])

    def test_what_is_refused_is_told_as_json_and_by_the_exit_code(self, run, house):
        code, out, _ = run(house.environment, "resume", "clickhouse_writer", "--topic", "markets", "--json")

        assert (1, False, "it is not paused") == (code, *map(json.loads(out).get, ("done", "refused")))

    def test_a_mute_is_told_as_json(self, run, house):
        _, out, _ = run(house.environment, "alerts", "mute", "lag", "30m", "--json")
        _, over, _ = run(house.environment, "alerts", "mute", "lag", "0", "--json")

        assert ["quiet for 30m", "heard"] == [json.loads(told)["after"] for told in (out, over)]

    @pytest.mark.parametrize(
        ("what", "said"),
        [
            ("lag|clickhouse_writer on trades", ""),
            ("silent|goldsky_ingester", ""),
            ("gaps|binance", ""),
            ("disk|disk", ""),
            ("silent|okx_ingestor", ": silent knows no 'okx_ingestor' now, but "),
            ("lag|clickhouse_writer on trade", ": lag knows no 'clickhouse_writer on trade' now, but "),
        ],
    )
    def test_a_mute_of_what_nothing_is_called_now_says_so(self, run, house, what, said):
        code, out, _ = run(house.environment, "alerts", "mute", what, "30m", "--json")
        over, _, _ = run(house.environment, "alerts", "mute", what, "0")
        after = json.loads(out)["after"]

        assert (0, 0, True) == (code, over, after.startswith(f"quiet for 30m{said}"))
        assert bool(said) == after.endswith("it counts as soon as there is one")

    @pytest.mark.parametrize("what", ["lagg", "lagg|x", "disk|okx_ingester", "memory|", "lag|"])
    def test_a_mute_of_what_no_alert_is_ever_about_is_refused(self, run, house, what):
        code, _, said = run(house.environment, "alerts", "mute", what, "30m")

        assert (2, True) == (code, "expected" in said or "only ever about" in said)
        assert not house.redis.hexists("alerts:muted", what)
