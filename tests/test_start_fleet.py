"""start.sh and stop.sh with a whole fleet: it records, it stops without a trace, it comes back, it survives a kill."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.start_kit import Tree, is_open, stamped, wait_for

pytestmark = [pytest.mark.fleet, pytest.mark.timeout(240)]

MOST_MIB = 3_000
RECORDING = "binance-ten-symbols-20210405.jsonl.gz"
COUNTS = """
import json
from common.clickhouse import connect
from common.settings import Settings
client = connect(Settings(clickhouse_port={port}))
tables = ("trades", "quotes", "book_updates")
print(json.dumps({{name: client.query(f"SELECT count() FROM {{name}}").result_rows[0][0] for name in tables}}))
"""


@pytest.fixture
def tree():
    """A tree whose path is short enough for Supervisor's socket, as most are; pytest's own are not."""
    stamped()
    with tempfile.TemporaryDirectory() as folder:
        made = Tree(Path(folder) / "a place with spaces")
        yield made
        made.stop()


def counted(tree):
    """Return the rows by table, once the recording is in."""
    return json.loads(tree.python(COUNTS.format(port=tree.clickhouse_port)))


def expected(captures):
    figures = json.loads((captures / "ground_truth.json").read_text())["files"][RECORDING]["symbols"]
    return sum(symbol["trades"]["distinct"] for symbol in figures.values() if "trades" in symbol)


def _began(line):
    """Return when the process in a line of `supervisorctl status` began, in the kernel's ticks since boot."""
    pid = line.split("pid ")[1].split(",")[0]
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def wait_recorded(tree, trades):
    wait_for(lambda: counted(tree)["trades"] >= trades, "the recording is not in", give_up_s=60)


def test_a_recording_is_recorded_and_stopping_leaves_nothing(tree, captures, tmp_path):
    shortcut = tmp_path / "go"
    shortcut.symlink_to(tree.root / "start.sh")

    said = tree.run(shortcut, "--replay", RECORDING, "--speed", "max", cwd=captures)
    assert 0 == said.returncode, said.stdout
    wait_recorded(tree, expected(captures))
    status = tree.supervisorctl("status").stdout
    begun = {line.split()[0]: _began(line) for line in status.splitlines() if "RUNNING" in line}
    told = tree.run("./fleet", "status", REDIS_PORT="", CLICKHOUSE_PORT="")
    again = tree.start()
    same = tree.run(shortcut, "--replay", RECORDING, "--speed", "max", cwd=captures)
    other = tree.start("--demo")
    stopped = tree.stop()
    stopped_again = tree.stop()

    assert f"http://127.0.0.1:{tree.dashboard_port}" in said.stdout
    assert "disabled  goldsky_ingester" in said.stdout
    assert {"redis", "clickhouse", "simulator", "trade_processor"} <= set(begun)
    assert max(begun["binance_ingester"], begun["clickhouse_writer"]) < min(begun["dashboard"], begun["bar_processor"])
    assert (0, True) == (told.returncode, "binance_ingester" in told.stdout), told.stdout
    assert (0, True) == (again.returncode, "already running (pid " in again.stdout)
    assert (0, True) == (same.returncode, "already running (pid " in same.stdout)
    assert (1, True) == (other.returncode, "./stop.sh first" in other.stdout)
    assert 0 == stopped.returncode
    assert "drained" in stopped.stdout
    assert f"trades {expected(captures):,}" in stopped.stdout
    assert ([], []) == (tree.pids(), tree.open_ports())
    assert (0, " not running\n") == (stopped_again.returncode, stopped_again.stdout)
    assert (tree.root / "data" / "replay" / "clickhouse").is_dir()


def test_a_killed_supervisor_takes_its_programs_along_and_the_next_start_is_clean(tree, captures):
    assert 0 == tree.start("--replay", captures / RECORDING, "--speed", "max").returncode
    wait_recorded(tree, expected(captures))
    supervisor = int((tree.root / "run" / "supervisord.pid").read_text())
    stray = _stray(tree)
    try:
        os.kill(supervisor, signal.SIGKILL)
        wait_for(lambda: [stray.pid] == tree.pids(), "programs outlive their Supervisor")
        said = tree.start("--replay", captures / RECORDING, "--speed", "max")
    finally:
        stray.kill()
        stray.wait()

    assert 0 == said.returncode, said.stdout
    assert f"left over from a Supervisor that was killed: book_processor (pid {stray.pid})" in said.stdout
    assert expected(captures) == counted(tree)["trades"]


def test_a_venue_that_was_switched_off_stays_down_over_a_start_until_it_is_switched_on(tree, captures):
    replay = ("--replay", captures / RECORDING, "--speed", "1")
    assert 0 == tree.start(*replay).returncode
    off = tree.run("./fleet", "switch", "binance", "off")
    assert 0 == tree.stop().returncode
    again = tree.start(*replay)
    down = tree.supervisorctl("status", "binance_ingester").stdout
    listed = json.loads(tree.run("./fleet", "venues", "--json").stdout)
    on = tree.run("./fleet", "switch", "binance", "on")
    up = tree.supervisorctl("status", "binance_ingester").stdout

    assert (0, 0, 0) == (off.returncode, again.returncode, on.returncode), (off.stdout, again.stdout, on.stdout)
    assert "disabled  binance_ingester" in again.stdout
    assert "switched off; ./fleet switch binance on" in again.stdout
    assert [False] == [row["enabled"] for row in listed if row["program"] == "binance_ingester"]
    assert (True, True) == ("STOPPED" in down, "RUNNING" in up), (down, up)


def test_supervisorctl_shutdown_alone_loses_nothing(tree, captures):
    data_dir = {"DATA_DIR": str(tree.root / "kept")}
    tree.environment |= data_dir
    assert 0 == tree.start("--replay", captures / RECORDING, "--speed", "max").returncode
    wait_recorded(tree, expected(captures))
    before = counted(tree)

    tree.supervisorctl("shutdown")
    wait_for(lambda: tree.pids() == [], "programs are left", give_up_s=60)
    refused = tree.start(BINANCE_ENABLED="false", POLYMARKET_ENABLED="false", GOLDSKY_ENABLED="false")
    said = tree.start("--replay", captures / RECORDING, "--speed", "max")

    assert (1, True) == (refused.returncode, "would be mixed with live data" in refused.stdout)
    assert 0 == said.returncode, said.stdout
    assert before == counted(tree)


VENUES = """
import json
from common.clickhouse import connect
from common.settings import Settings
client = connect(Settings(clickhouse_port={port}))
parts = [
    f"SELECT DISTINCT venue AS name FROM {{table}}" for table in ("trades", "quotes", "tickers", "market_versions")
]
parts.append("SELECT DISTINCT if(source = 'chain', 'polygon', 'goldsky') AS name FROM order_events")
parts.append("SELECT DISTINCT if(venue = 'alpaca' AND position(symbol, '/') > 0, 'coins', venue) AS name FROM trades")
print(json.dumps(sorted(row[0] for row in client.query(" UNION DISTINCT ".join(parts)).result_rows)))
"""
RECORDED = ["alpaca", "binance", "coins", "goldsky", "okx", "polygon", "polymarket", "polymarket_clob", "upstox"]


def test_the_demo_records_every_venue(tree):
    said = tree.start("--demo")
    assert 0 == said.returncode, said.stdout

    wait_for(lambda: states(tree) == {"running"}, "an ingester does not run", give_up_s=60)
    wait_for(
        lambda: RECORDED == json.loads(tree.python(VENUES.format(port=tree.clickhouse_port))), "rows", give_up_s=60
    )
    disabled = [line for line in said.stdout.splitlines() if "disabled  " in line and "_ingester" in line]
    memory_mib = sum(rss_bytes(pid) for pid in tree.pids()) / 2**20

    assert [] == disabled
    assert memory_mib < MOST_MIB


def states(tree):
    """Return how the ingesters say they are."""
    told = tree.run("./fleet", "venues", "--json", REDIS_PORT="", CLICKHOUSE_PORT="")
    return {row["state"] for row in json.loads(told.stdout)}


def rss_bytes(pid):
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # it has just ended
        return 0


def test_a_start_that_is_interrupted_is_taken_back(tree):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start = subprocess.Popen(["./start.sh", "--demo"], cwd=tree.root, env=tree.environment, **quiet)
    wait_for(lambda: is_open(tree.redis_port), "redis")

    start.send_signal(signal.SIGTERM)

    assert 130 == start.wait(60)
    assert ([], []) == (tree.pids(), tree.open_ports())


def test_a_path_too_long_for_a_socket_works(tmp_path, captures):
    stamped()
    tree = Tree(tmp_path / ("long" * 30))
    try:
        said = tree.start("--replay", captures / RECORDING)
        socket_url = said.stdout.partition("supervisorctl -s ")[2].split()[0]
        status = tree.supervisorctl("-s", socket_url, "status")
        stopped = tree.stop()
    finally:
        tree.stop()

    assert 0 == said.returncode, said.stdout
    assert "binance_ingester" in status.stdout
    assert ([], []) == (tree.pids(), tree.open_ports())
    assert "nothing is left running" in stopped.stdout


def test_servers_of_the_operators_own_are_used_and_left_running(tree, captures, tmp_path):
    ours = [subprocess.Popen(command, cwd=tree.root, env=_env(tree, tmp_path)) for command in _servers(tree, tmp_path)]
    try:
        wait_for(lambda: is_open(tree.redis_port) and is_open(tree.clickhouse_port), "own servers")
        own = {"REDIS_HOST": "127.0.0.1", "CLICKHOUSE_HOST": "127.0.0.1"}
        said = tree.start("--replay", captures / RECORDING, "--speed", "max", **own)
        wait_recorded(tree, expected(captures))
        programs = tree.supervisorctl("status").stdout
        stopped = tree.stop()
        left = tree.open_ports()
    finally:
        tree.stop()
        for server in reversed(ours):
            server.terminate()
            server.wait()

    assert 0 == said.returncode, said.stdout
    assert "redis      own" in said.stdout
    assert not any(line.startswith(("redis ", "clickhouse ")) for line in programs.splitlines())
    assert "drained" in stopped.stdout
    assert [tree.redis_port, tree.clickhouse_port] == left


def _env(tree, folder):
    return {**tree.environment, "DATA_DIR": str(folder / "own")}


def _servers(tree, folder):
    path = str(folder / "own" / "clickhouse")
    return (
        [sys.executable, "-m", "embedded.redis"],
        [sys.executable, "-m", "embedded.clickhouse", "--port", str(tree.clickhouse_port), "--path", path],
    )


def _stray(tree):
    """A program of an earlier Supervisor that did not notice its end."""
    marked = {
        **tree.environment,
        "TICKFLEET_RUN": str(tree.root / "run"),
        "SUPERVISOR_PROCESS_NAME": "book_processor",
    }
    return subprocess.Popen(["sleep", "300"], env=marked)
