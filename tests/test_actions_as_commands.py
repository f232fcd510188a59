"""Whatever a page offers to do, it prints as a command: and that command exists, with these options."""

import html
import re
import shlex
import subprocess
from urllib.parse import quote

import pytest
import requests
import typer

from common.records import DeadLetter
from monitoring.cli.app import app
from monitoring.doing.letters import Which, mending, settling
from tests.monitoring_fixtures import busy_stage, dashboard

pytestmark = pytest.mark.redis

FORMS = {
    "pause": {"group": "clickhouse_writer", "topic": "books"},
    "resume": {"group": "clickhouse_writer"},
    "reset": {"group": "clickhouse_writer", "topic": "trades", "to": "-500"},
    "claim": {"group": "clickhouse_writer", "shard": "stream:{books:1}"},
    "forget": {"group": "trade_processor", "topic": "order_events"},
    "symbols": {"program": "binance_ingester", "add": "SOLUSDT,XRPUSDT", "remove": "BTCUSDT"},
    "list": {"program": "okx_ingester", "list": "SOL-USDT", "how": "replace"},
    "mute": {"what": "silent|okx_ingester", "length": "8h"},
    "test-alerts": {},
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    stage_folder, folder = tmp_path_factory.mktemp("stage"), tmp_path_factory.mktemp("dashboard")
    with busy_stage(stage_folder) as (stage, port), dashboard(folder, port) as url:
        yield stage, url


@pytest.mark.parametrize("action", FORMS)
def test_the_command_on_the_page_is_one_of_ours(house, action, tmp_path):
    page = requests.get(f"{house[1]}/do/{action}", params=FORMS[action], timeout=15).text
    found = html.unescape(re.search(r'<pre id="command">([^<]+)', page)[1])

    assert is_understood(found.splitlines()[0], tmp_path)


def test_the_commands_for_letters_are_ours(house, tmp_path):
    letter = DeadLetter("x", "y", 1, id="3f2a", stream="stream:trades", program="z", reason="?", payload="{}")
    stage, _ = house
    commands = [settling(stage.redis, how, Which("3f2a"), [letter]).command for how in ("redrive", "drop")]
    commands.append(settling(stage.redis, "drop", Which(kind="price: # is none"), [letter]).command)
    commands.append(settling(stage.redis, "redrive", Which(), [letter]).command)
    commands.append(stage.call(mending(stage.redis, letter, "{}")).command)

    assert [True] * 5 == [is_understood(command, tmp_path) for command in commands]
    assert "./fleet dlq drop --kind 'price: # is none'" == commands[2]


@pytest.mark.parametrize(
    ("action", "form", "words"),
    [
        ("mute", {"what": "lag|$(id)`id`", "length": "1h"}, ["alerts", "mute", "lag|$(id)`id`", "1h"]),
        ("reset", FORMS["reset"] | {"to": "2026-11-20 10:00"}, ["--to", "2026-11-20 10:00", "--yes"]),
        ("reset", FORMS["reset"] | {"topic": "tickers", "to": "$(id)"}, ["tickers", "--to", "$(id)", "--yes"]),
        ("symbols", {"program": "okx_ingester", "add": "$(id),!!"}, ["symbols", "okx", "--add", "$(id),!!"]),
    ],
)
def test_what_is_shown_to_be_pasted_runs_nothing_but_the_command(house, action, form, words):
    page = requests.get(f"{house[1]}/do/{action}", params=form, timeout=15).text
    found = html.unescape(re.search(r'<pre id="command">([^<]+)', page)[1]).splitlines()[0]

    assert words == pasted(found)[-len(words) :]


def test_the_words_of_an_address_are_pasted_as_words(house):
    _, url = house
    symbol = "a'\"$(id)"
    page = html.unescape(requests.get(f"{url}/i/okx/{quote(symbol, safe='')}", timeout=15).text)
    search = html.unescape(requests.get(f"{url}/streams/trades?where=symbol={quote(symbol)}", timeout=15).text)
    book = next(line for line in page.splitlines() if line.startswith("./fleet book"))
    sql = next(line for line in page.splitlines() if "FROM bars_1m" in line)
    tail = re.search("<code>(./fleet tail .*?)</code>", search, re.DOTALL)[1]

    assert ["./fleet", "book", "okx", symbol] == pasted(book)
    assert "symbol = 'a\\'\"$(id)'" in pasted(sql)[2]
    assert ["--where", f"symbol={symbol}"] == pasted(tail)[-2:]


def pasted(line):
    """What a shell makes of a command, where a file of that name stood in for the program."""
    script = f"./fleet() {{ printf '%s\\n' ./fleet \"$@\"; }}; {line}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_command_that_does_not_exist_is_noticed(tmp_path):
    for wrong in ("./fleet rest clickhouse_writer", "./fleet pause clickhouse_writer --subject trades"):
        with pytest.raises(Exception, match=r"(?i)no such"):
            is_understood(wrong, tmp_path)


def is_understood(line, folder):
    """Parse a command as the command line does; raise what it says to a wrong one."""
    (folder / "FILE").write_text("{}")
    program, *words = shlex.split(line.replace("FILE", str(folder / "FILE")))
    assert "./fleet" == program
    command = typer.main.get_command(app())
    context = command.make_context("fleet", words, resilient_parsing=False)
    while getattr(command, "commands", None):
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, words, parent=context)
    return True
