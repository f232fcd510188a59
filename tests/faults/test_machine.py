"""What a machine does to a fleet: told to stop, frozen, disks full, no descriptors, no memory, clocks that step."""

import os
import resource
import shutil
import signal
import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from processors.owning import SILENT_S
from tests.faults.kit import restart, work
from tests.faults.plain_venue import NAME
from tests.fleet_harness import PYTHON, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(150)]

WRITER = "clickhouse_writer"
HOURS_NS = 3600 * 10**9
ON_THE_WIRE = 500  # numbers at most that the venue has put into the socket before it sees it close


@pytest.fixture
def load(fleet):
    """A venue at full rate, its ingester and the writer."""
    with work(fleet) as made:
        yield made


def test_everything_told_to_stop_under_load_has_all_on_disk_within_its_time(load):
    load.begin()
    fleet = load.fleet
    for name in (NAME, WRITER):
        fleet.signal(name, signal.SIGTERM)
    codes = [fleet.processes[name][0].wait(10) for name in (NAME, WRITER)]
    for server in ("redis", "clickhouse"):
        fleet.signal(server, signal.SIGTERM)
        fleet.processes[server][0].wait(20)
    sent = load.ledger.sent
    for server in ("redis", "clickhouse"):
        restart(fleet, server)
    for name in (NAME, WRITER):
        fleet.restart(name)
    load.go_on()
    load.rest()

    assert [0, 0] == codes
    before = fleet.sql(f"SELECT count(), uniqExact(trade_id) FROM trades WHERE toUInt64(trade_id) < {sent}")[0]
    assert before[0] == before[1]
    assert sent - before[0] < ON_THE_WIRE
    assert [] == [detail for detail in load.gaps() if "without a word" in detail]


@pytest.mark.parametrize("program", [NAME, WRITER, "redis", "clickhouse"])
def test_a_program_that_is_frozen_and_wakes_up_loses_and_doubles_nothing(load, program):
    load.begin()
    load.fleet.signal(program, signal.SIGSTOP)
    load.keep_sending(3.0)
    load.fleet.signal(program, signal.SIGCONT)

    load.assert_whole()


@contextmanager
def small_disk(folder, size_mib):
    """Mount a file system of a few MiB; a ballast file leaves little room until it is removed."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a small file system is mounted for it")
    folder.mkdir(parents=True, exist_ok=True)
    if subprocess.call(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]):
        pytest.skip("mounting a file system is not allowed here")
    try:
        yield folder / "ballast"
    finally:
        subprocess.check_call(["umount", "-l", str(folder)])


def fill(ballast, *, leaving_bytes):
    there = os.statvfs(ballast.parent)
    with suppress(OSError), ballast.open("wb", buffering=0) as file:  # somebody else may write meanwhile
        for _ in range(max(0, there.f_bavail * there.f_bsize - leaving_bytes) // 2**16):
            file.write(b"\0" * 2**16)


def test_a_full_disk_under_redis_loses_nothing_and_is_over_when_there_is_room(bare):
    with small_disk(bare.folder / "redis", 64) as ballast:
        bare.start_servers()
        with work(bare) as load:
            load.begin()
            fill(ballast, leaving_bytes=100_000)
            wait_for(lambda: "MISCONF" in bare.log(NAME) or "MISCONF" in bare.log(WRITER), what="told")
            load.keep_sending(2.0)
            ballast.unlink()

            load.assert_whole()
        bare.kill("redis")


def test_a_full_disk_under_clickhouse_loses_nothing_and_is_over_when_there_is_room(bare):
    with small_disk(bare.folder / "clickhouse", 512) as ballast:
        bare.start_servers()
        with work(bare) as load:
            load.begin()
            fill(ballast, leaving_bytes=200_000)
            wait_for(lambda: "delivery.in_doubt" in bare.log(WRITER), what="told")
            load.keep_sending(2.0)
            ballast.unlink()

            load.assert_whole()
        bare.kill("clickhouse")


def limited(fleet, name, what, limit):
    resource.prlimit(fleet.pid(name), what, (limit, resource.prlimit(fleet.pid(name), what)[1]))


def mended(fleet, name, what):
    """Take the limit away; a process that has ended of it is started again, as Supervisor does."""
    if fleet.processes[name][0].poll() is None:
        limited(fleet, name, what, resource.prlimit(fleet.pid(name), what)[1])
    else:
        fleet.restart(name)


@pytest.mark.parametrize("name", [NAME, WRITER])
def test_a_program_without_file_descriptors_goes_on_when_it_may_open_some(load, name):
    load.begin()
    limited(load.fleet, name, resource.RLIMIT_NOFILE, 3)
    load.fleet.kill("redis")
    load.keep_sending(1.0)
    restart(load.fleet, "redis")
    load.keep_sending(2.0)
    mended(load.fleet, name, resource.RLIMIT_NOFILE)

    if "without a word" not in "".join(wait_gaps(load)):
        load.assert_whole()


def wait_gaps(load):
    load.go_on(300)
    return load.gaps()


def test_a_writer_without_memory_loses_and_doubles_nothing(load):
    load.begin()
    pages = int(Path(f"/proc/{load.fleet.pid(WRITER)}/statm").read_text().split()[0])
    limited(load.fleet, WRITER, resource.RLIMIT_AS, pages * resource.getpagesize())
    load.keep_sending(2.5)
    mended(load.fleet, WRITER, resource.RLIMIT_AS)

    load.assert_whole()


def test_a_time_zone_changes_no_time(bare):
    bare.environment["TZ"] = "America/New_York"
    bare.start_servers()
    with work(bare) as load:
        load.begin()
        load.assert_whole()

        newest = "max(toUnixTimestamp64Nano(received_time))"
        (newest_ns,) = bare.sql(f"SELECT {newest} FROM trades")[0]
        assert abs(time.time_ns() - newest_ns) < 120 * 10**9


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """A library that steps the clocks of whoever is started with it, and makes them drift."""
    compiler = shutil.which("gcc") or pytest.skip("gcc is not installed: no clock that can be stepped")
    library = tmp_path_factory.mktemp("shim") / "clock.so"
    source = Path(__file__).with_name("clock_shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60)
    return library


def test_clocks_that_step_by_hours_lose_double_and_disorder_nothing_and_leave_no_shard_without_owner(bare, shim):
    clock = bare.folder / "clock"
    clock.write_bytes(struct.pack("<q", 0))
    bare.environment |= {"LD_PRELOAD": str(shim), "CLOCK_FILE": str(clock)}
    bare.start_servers()
    with work(bare) as load:
        load.begin()
        for step in (2, -2, 0):
            with clock.open("r+b") as file:
                file.write(struct.pack("<q", step * HOURS_NS))
            load.go_on(300)
            bare.kill(WRITER)
            bare.restart(WRITER)
            load.go_on(300, give_up_s=20)

        load.assert_whole()


FAST_PPM, SLOW_PPM = 50_000, -50_000  # a twentieth


def drifting(fleet, shim, name, ppm):
    """Have what is started next live by clocks that run fast or slow."""
    clock = fleet.folder / f"clock-{name}"
    clock.write_bytes(struct.pack("<qqq", 0, ppm, time.monotonic_ns()))
    fleet.environment |= {"LD_PRELOAD": str(shim), "CLOCK_FILE": str(clock)}


def epochs(fleet):
    """Return under which epoch each shard of the writers is owned."""
    return {key: fleet.redis.hget(key, "epoch") for key in fleet.redis.scan_iter(f"group:*:{WRITER}")}


def test_clocks_that_drift_apart_change_no_owner_expire_nothing_and_lose_nothing(bare, shim):
    bare.environment["SPOOL_MAX_AGE_S"] = "8"
    drifting(bare, shim, "redis", FAST_PPM)
    bare.start_servers()
    writers = {f"{WRITER}_00": FAST_PPM, f"{WRITER}_01": SLOW_PPM}
    with work(bare) as load:
        for name, ppm in writers.items():
            drifting(bare, shim, name, ppm)
            bare.start(name, PYTHON, "-m", "processors", WRITER, name)
        drifting(bare, shim, NAME, SLOW_PPM)
        load.start_ingester()
        load.go_on()
        wait_for(lambda: owners(bare), expected=set(writers), what="both have their share")
        before = epochs(bare)
        load.keep_sending(SILENT_S + 2.0)
        after = epochs(bare)
        bare.kill("redis")
        load.keep_sending(4.0)
        restart(bare, "redis")
        load.go_on()
        bare.kill(f"{WRITER}_00")

        load.assert_whole()
        assert before == after


def owners(fleet):
    return {fleet.redis.hget(key, "owner") for key in fleet.redis.scan_iter(f"group:*:{WRITER}")}
