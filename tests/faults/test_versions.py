"""Programs of two versions side by side, and every program restarted one after the other under load."""

import shutil
import subprocess

import pytest
import requests

from benchmarks.chaos.truth import judge
from tests.faults.kit import restart, work
from tests.fleet_harness import PYTHON, ROOT, wait_for
from tests.start_kit import NOT_COPIED

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(240)]

WRITER = "clickhouse_writer"
EXTRA = "ALTER TABLE trades ADD COLUMN IF NOT EXISTS upgraded UInt8 DEFAULT 0 COMMENT 'of the next version';\n"


def test_every_program_restarted_in_turn_under_load_loses_and_doubles_nothing(fleet):
    fleet.environment |= {"GOLDSKY_POLL_S": "0.5", "POLYGON_POLL_S": "0.5"}
    fleet.start_simulator("--demo")
    programs = (WRITER, "trade_processor", "binance_ingester", "okx_ingester", "goldsky_ingester", "polygon_ingester")
    for program in programs:
        fleet.start_program(program)
    grown(fleet)
    for program in programs:
        assert 0 == fleet.end(program)
        fleet.restart(program)
        grown(fleet)
    for server in ("clickhouse", "redis"):
        fleet.end(server)
        restart(fleet, server)
        grown(fleet)
    for program in programs[2:]:
        fleet.end(program)
    ledger = requests.get(f"{fleet.environment['SIMULATOR_URL']}/_ledger?ids=1", timeout=60).json()
    wait_for(lambda: behind(fleet), expected={}, what="drained")

    verdict = judge(fleet, ledger)
    assert ([], [], []) == (verdict.lost, verdict.doubled, verdict.disordered)


def grown(fleet):
    """Return when Binance and Polymarket have more rows than now."""
    query = "SELECT countIf(venue = 'binance'), countIf(venue = 'polymarket') FROM trades"
    before = fleet.sql(query)[0]
    wait_for(lambda: all(now > then for now, then in zip(fleet.sql(query)[0], before, strict=True)), what="new rows")


def behind(fleet):
    """Return which groups have not committed everything."""
    found = {}
    for key in fleet.redis.scan_iter("group:{*}:*"):
        tag = key[key.index("{") + 1 : key.index("}")]
        offset, position = fleet.redis.hget(f"shard:{{{tag}}}", "offset"), fleet.redis.hget(key, "position")
        if int(offset or 0) > int(position or 0):
            found[key] = int(offset or 0) - int(position or 0)
    return found


@pytest.fixture
def newer(tmp_path):
    """A tree of the next version: the same code and one migration more."""
    tree = tmp_path / "newer"
    shutil.copytree(ROOT, tree, ignore=NOT_COPIED)
    number = len(list((tree / "migrations").glob("[0-9]*.sql"))) + 1
    (tree / "migrations" / f"{number:04}_upgraded.sql").write_text(EXTRA)
    return tree


def test_a_newer_writer_waits_for_its_migration_and_takes_over_and_the_older_is_refused_by_name(fleet, newer):
    with work(fleet) as load:
        load.begin()
        fleet.start("newer", shutil.which("env"), "-C", str(newer), PYTHON, "-m", "processors", WRITER)
        wait_for(lambda: '"event": "schema.waiting"' in fleet.log("newer"), what="it waits")
        load.go_on(300)
        migrated = subprocess.run(
            [PYTHON, "setup_schema.py"], cwd=newer, env=fleet.environment, check=True, capture_output=True, timeout=60
        )
        refused = fleet.processes[WRITER][0].wait(60)
        load.go_on(300)
        fleet.restart(WRITER)
        older = fleet.processes[WRITER][0].wait(60)

        load.assert_whole()
        version = len(list((newer / "migrations").glob("[0-9]*.sql")))
        assert f"migration {version:04}" in migrated.stdout.decode()
        assert (2, 2) == (refused, older)
        assert f"expected schema version {version - 1}, found {version}" in fleet.log(WRITER)
        assert [(load.ledger.sent, 0)] == fleet.sql("SELECT count(), sum(upgraded) FROM trades")
