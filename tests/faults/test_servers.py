"""Redis and ClickHouse killed, hung, full, torn and restored under load: what was sent stands once, or is told."""

import os
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from tests.faults.kit import FIGURES, restart, work
from tests.fleet_harness import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(120)]


@pytest.fixture
def load(fleet):
    """A venue at full rate, its ingester and the writer, straight to the servers."""
    with work(fleet) as made:
        yield made


@pytest.fixture
def wired(fleet):
    """The same, through wires to both servers."""
    with work(fleet) as made:
        made.through_wires()
        yield made


def append_file(fleet):
    return max((fleet.folder / "redis" / "appendonlydir").glob("*.incr.aof"), key=os.path.getmtime)


def test_redis_killed_under_load_and_while_it_rewrites_its_append_file(load):
    load.begin()
    for _ in range(3):
        load.fleet.redis.bgrewriteaof()
        load.fleet.kill("redis")
        load.keep_sending(0.5)
        restart(load.fleet, "redis")
        load.go_on(300)

    load.assert_whole()


def test_an_append_file_damaged_in_the_middle_is_refused_and_whole_after_the_remedy(load):
    checker = shutil.which("redis-check-aof") or pytest.skip("redis-check-aof is not installed")
    load.begin()
    load.fleet.kill("redis")
    file = append_file(load.fleet)
    content = bytearray(file.read_bytes())
    at = content.index(b"\r\n*", len(content) * 9 // 10) + 2
    content[at : at + 200] = b"\x00" * 200
    file.write_bytes(content)
    load.fleet.restart("redis")
    assert 1 == load.fleet.processes["redis"][0].wait(20)
    assert "redis-check-aof --fix" in load.fleet.log("redis")

    subprocess.run([checker, "--fix", str(file)], input=b"y\n", check=True, capture_output=True, timeout=20)
    restart(load.fleet, "redis")

    load.assert_whole(may_skip=True)
    assert "sink.given_again" in load.fleet.log("plain_ingester")


@contextmanager
def replica_of(load):
    """A second Redis that follows the first over a wire of its own."""
    fleet = load.fleet
    folder = fleet.folder / "replica"
    folder.mkdir()
    wire = load.proxy(fleet.redis_port)
    port = load.free_port()
    options = ("--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--save", "")
    follow = ("--replicaof", f"127.0.0.1 {wire.port}", "--repl-diskless-sync-delay", "0")
    fleet.start("replica", shutil.which("redis-server"), "--bind", "127.0.0.1", *options, *follow)
    yield port, wire


def test_a_replica_promoted_while_it_lagged_is_given_again_what_it_missed(wired):
    fleet = wired.fleet
    fleet.redis.config_set("repl-diskless-sync-delay", "0")
    with replica_of(wired) as (port, wire):
        wired.begin()
        replica = wired.client(port)
        wait_for(lambda: replica.info("replication").get("master_link_status"), expected="up", what="the replica")
        wired.go_on(300)
        wired.call(wire.stall)
        missed = wired.keep_sending(2.0)
        fleet.kill("redis")
        replica.replicaof("NO", "ONE")
        wired.redis_wire.server_port = fleet.redis_port = port
        wired.call(wired.redis_wire.cut)

        wired.assert_whole(may_skip=True)
        assert missed > 500
        assert "sink.given_again" in fleet.log("plain_ingester")


def test_clickhouse_killed_idle_in_inserts_and_in_merges(load):
    load.begin()
    load.ledger.flows = False
    wait_for(lambda: load.rows, expected=load.ledger.sent, what="idle")
    load.fleet.kill("clickhouse")
    restart(load.fleet, "clickhouse")
    load.ledger.flows = True
    load.go_on(300)
    for _ in range(2):
        merging = threading.Thread(target=_merge, args=(load.fleet,))
        merging.start()
        time.sleep(0.02)
        load.fleet.kill("clickhouse")
        merging.join()
        restart(load.fleet, "clickhouse")
        load.go_on(300)

    load.assert_whole()


def _merge(fleet):
    with suppress(Exception):  # it is killed meanwhile
        fleet.command("OPTIMIZE TABLE trades FINAL")


def test_replies_of_clickhouse_that_are_lost_after_the_insert_double_nothing(wired):
    wired.begin()
    for _ in range(4):
        wired.clickhouse_wire.swallow = 2
        wired.go_on(200)

    wired.assert_whole()
    assert "delivery.in_doubt" in wired.fleet.log("clickhouse_writer")


@pytest.mark.parametrize("how", ["slow", "hangs", "half-closed", "refuses", "503"])
def test_a_clickhouse_that_is_ill_is_waited_for(wired, how):
    wired.begin()
    wire = wired.clickhouse_wire
    if how == "slow":
        wire.delay_s = 1.5
    elif how == "hangs":
        wired.call(wire.stall)
    elif how == "half-closed":
        wire.half_closes = True
    elif how == "refuses":
        wire.refuses = True
        wired.call(wire.cut)
    else:
        wire.answer = refusal("503 Service Unavailable", 0, "the server is too busy")
    wired.keep_sending(2.5)
    wired.call(wire.flow)
    if how == "503":
        wired.call(wire.cut)

    wired.assert_whole()


def refusal(status, code, words):
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(words)}\r\n"
    return f"{head}X-ClickHouse-Exception-Code: {code}\r\n\r\n{words}".encode()


def test_a_memory_limit_of_clickhouse_is_waited_out_and_sets_nothing_aside(wired):
    wired.begin()
    words = "Code: 241. DB::Exception: (total) memory limit exceeded: would use 1.00 GiB. (MEMORY_LIMIT_EXCEEDED)"
    wired.clickhouse_wire.answer = refusal("500 Internal Server Error", 241, words)
    wait_for(lambda: "memory limit exceeded" in wired.fleet.log("clickhouse_writer"), what="told")
    wired.call(wired.clickhouse_wire.flow)
    wired.call(wired.clickhouse_wire.cut)

    wired.assert_whole()


def test_too_many_parts_are_waited_out_and_set_nothing_aside(load):
    load.begin()
    load.fleet.command("SYSTEM STOP MERGES trades")
    load.fleet.command("ALTER TABLE trades MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    wait_for(lambda: "Too many parts" in load.fleet.log("clickhouse_writer"), what="told")
    load.fleet.command("ALTER TABLE trades RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
    load.fleet.command("SYSTEM START MERGES trades")

    load.assert_whole()


def test_a_clickhouse_that_only_reads_is_waited_for(load):
    fleet = load.fleet
    users = fleet.folder / "users.json"
    users.write_text('{"default": {"password": "", "readonly": 2}}')
    load.begin()
    fleet.kill("clickhouse")
    fleet.start("clickhouse", *fleet.processes["clickhouse"][1], "--users", str(users))
    wait_for(lambda: "eadonly" in fleet.log("clickhouse_writer"), what="told")
    fleet.kill("clickhouse")
    fleet.start_clickhouse()

    load.assert_whole()


def test_clickhouse_down_for_a_while_at_full_rate_is_caught_up_with(load):
    load.begin()
    load.fleet.kill("clickhouse")
    missed = load.keep_sending(6.0)
    restart(load.fleet, "clickhouse")

    load.assert_whole()
    assert missed > 2000


def test_trades_made_of_events_stand_once_when_redis_has_lost_the_commits_that_made_them(fleet):
    fleet.environment["GOLDSKY_POLL_S"] = "0.3"
    fleet.start_simulator("--demo")
    for program in ("clickhouse_writer", "trade_processor", "goldsky_ingester"):
        fleet.start_program(program)
    fills = "SELECT count() FROM order_events WHERE role = 'maker_fill'"
    wait_for(lambda: fleet.sql("SELECT count() FROM trades")[0][0] > 1000, what="trades")
    for _ in range(2):
        before = fleet.sql("SELECT count() FROM trades")[0][0]
        fleet.kill("redis")
        file = append_file(fleet)
        os.truncate(file, max(1, file.stat().st_size - 400_000))
        restart(fleet, "redis")
        wait_for(lambda before=before: fleet.sql("SELECT count() FROM trades")[0][0] > before, what="new trades")
    fleet.end("goldsky_ingester")

    wait_for(
        lambda: fleet.sql(f"SELECT (SELECT uniqExact(trade_id) FROM trades) - ({fills})"),
        expected=[(0,)],
        what="a trade for each",
    )
    assert fleet.sql("SELECT count(), count() FROM trades") == fleet.sql(
        "SELECT uniqExact(trade_id), uniqExact(offset) FROM trades"
    )


@pytest.mark.parametrize("still_held", [True, False])
def test_a_clickhouse_restored_from_an_older_backup_is_filled_from_the_stream_or_told(load, still_held):
    fleet = load.fleet
    load.begin()
    stopped(fleet, "clickhouse_writer", "clickhouse")
    shutil.copytree(fleet.folder / "clickhouse", fleet.folder / "backup", symlinks=True)
    fleet.start_clickhouse()
    kept = load.rows
    fleet.start_program("clickhouse_writer")
    load.go_on(1000)
    stopped(fleet, "clickhouse_writer", "clickhouse")
    shutil.rmtree(fleet.folder / "clickhouse")
    shutil.move(fleet.folder / "backup", fleet.folder / "clickhouse")
    if not still_held:
        fleet.redis.xtrim("stream:trades", minid=entry_at(fleet, kept + 500), approximate=False)
    fleet.start_clickhouse()
    fleet.start_program("clickhouse_writer")
    load.go_on(500)

    told = fleet.sql("SELECT kind, expected, found FROM feed_events WHERE channel = 'trades' ORDER BY offset")
    assert ("resync", f"rows up to record {kept}") == (told[0][0], told[0][2])
    if still_held:
        load.assert_whole(may_skip=True)
    else:
        load.rest()
        gap = next(row for row in told if row[0] == "gap")
        missing = int(gap[2].split()[1]) - kept
        assert f"record {kept}" == gap[1]
        assert (load.ledger.sent - missing,) * 2 == fleet.sql(FIGURES)[0][:2]


def stopped(fleet, *names):
    for name in names:
        fleet.end(name)


def entry_at(fleet, offset):
    """Return the id of the first entry of the trades behind a running number."""
    return next(entry_id for entry_id, fields in fleet.redis.xrange("stream:trades") if int(fields["o"]) >= offset)
