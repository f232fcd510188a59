"""The ingester as Supervisor runs it: how it ends, and with which exit code."""

import shutil
import time

import pytest
import requests

from tests.fleet_harness import Fleet, wait_for
from tests.ingest_kit import events, records

pytestmark = [pytest.mark.redis, pytest.mark.timeout(90)]

DONE, REFUSED = 0, 2


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A private Redis and the simulated venues."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("fleet"), GOLDSKY_POLL_S="0.2") as made:
        made.start_redis()
        made.start_simulator("--demo")
        yield made


@pytest.fixture
def fleet(world):
    world.redis.flushall()
    requests.delete(world.environment["SIMULATOR_URL"] + "/_control", timeout=5)
    yield world
    for name in list(world.processes):
        if name.endswith("_ingester") or name == "copy":
            world.end(name)


def order(fleet, **fault):
    url = fleet.environment["SIMULATOR_URL"] + "/_control"
    assert requests.post(url, json=fault, timeout=5).ok


def exit_code(fleet, name):
    return fleet.processes[name][0].wait(30)


def said(fleet, name):
    return fleet.log(name)


def test_told_to_stop_it_ends_with_0_and_has_written_down_that_it_did(fleet):
    fleet.start_program("binance_ingester")
    wait_for(lambda: fleet.redis.xlen("stream:trades") > 20, what="trades")

    assert DONE == fleet.end("binance_ingester")
    assert "told to stop" in events(fleet, "disconnected")[0].detail
    assert "waiting for Redis" not in said(fleet, "binance_ingester")


def test_a_question_that_hangs_does_not_hold_up_the_end(fleet):
    order(fleet, kind="hang", venue="goldsky", times=None)
    fleet.start_program("goldsky_ingester")
    wait_for(lambda: "hang" in requests.get(fleet.environment["SIMULATOR_URL"] + "/_ledger", timeout=5).text)
    started_s = time.monotonic()

    assert DONE == fleet.end("goldsky_ingester")
    assert time.monotonic() - started_s < 5


@pytest.mark.parametrize("status", [401, 404])
def test_refused_it_ends_with_2_after_the_refusal_is_in_redis(fleet, status):
    order(fleet, kind="status", status=status, body="not for you", venue="goldsky", times=None)
    fleet.start_program("goldsky_ingester")

    assert REFUSED == exit_code(fleet, "goldsky_ingester")
    refused = events(fleet, "refused")
    assert 1 == len(refused)
    assert f"HTTP {status}: not for you" in refused[0].detail
    assert f"HTTP {status}" in said(fleet, "goldsky_ingester")
    assert [] == fleet.redis.keys("state:*")


@pytest.mark.parametrize("venue", ["goldsky", "polymarket", "polymarket_clob"])
def test_a_firewall_before_a_venue_without_sign_in_ends_nothing_and_is_told_in_its_words(fleet, venue):
    order(fleet, kind="status", status=403, body="<html>blocked", venue=venue, times=None)
    fleet.start_program(f"{venue}_ingester")
    wait_for(lambda: "403" in (fleet.redis.hget(f"proc:{venue}_ingester", "detail") or ""), what="the firewall's words")

    assert fleet.redis.hget(f"proc:{venue}_ingester", "detail").endswith("HTTP 403: <html>blocked")
    assert "waiting" == fleet.redis.hget(f"proc:{venue}_ingester", "state")
    assert DONE == fleet.end(f"{venue}_ingester")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "graphql_errors"},
        {"kind": "garbage"},
        {"kind": "status", "status": 503},
    ],
    ids=lambda fault: fault.get("status", fault["kind"]),
)
def test_an_answer_that_is_none_moves_no_cursor_and_loses_no_event(fleet, fault):
    fleet.start_program("goldsky_ingester")
    wait_for(lambda: fleet.redis.exists("state:goldsky_last_id") == 1, what="the first page")
    order(fleet, venue="goldsky", times=None, **fault)
    failing = "questions_failed_total" if fault["kind"] == "status" else "last_error_ns"
    wait_for(lambda: int(fleet.redis.hget("proc:goldsky_ingester", failing) or 0) > 0, what=failing)
    places = [fleet.redis.mget("state:goldsky_last_id", "state:goldsky_last_timestamp")]
    time.sleep(0.6)  # three polls: that nothing moves is not an event
    places.append(fleet.redis.mget("state:goldsky_last_id", "state:goldsky_last_timestamp"))
    requests.delete(fleet.environment["SIMULATOR_URL"] + "/_control", timeout=5)
    wait_for(lambda: fleet.redis.get("state:goldsky_last_id") != places[0][0], what="the next event")
    fleet.end("goldsky_ingester")

    assert places[0] == places[1]
    page = requests.get(fleet.environment["SIMULATOR_URL"] + "/_ledger?ids=1", timeout=5).json()
    standing = page["goldsky"]["event_ids"]
    found = [record.event_id for record in records(fleet, "order_events")]
    assert len(found) == len(set(found))
    reached = standing.index(fleet.redis.get("state:goldsky_last_id"))
    assert set(standing[: reached + 1]) == set(found)


def test_of_two_copies_the_older_ends_with_2_and_says_so(fleet):
    fleet.start_program("binance_ingester")
    wait_for(lambda: fleet.redis.xlen("stream:trades") > 0, what="trades")
    fleet.start("copy", *fleet.processes["binance_ingester"][1])

    assert REFUSED == exit_code(fleet, "binance_ingester")
    assert "another process has taken it" in said(fleet, "binance_ingester")
    entries = fleet.redis.xlen("stream:trades")
    wait_for(lambda: fleet.redis.xlen("stream:trades") > entries, what="the newer one goes on")
    assert DONE == fleet.end("copy")
    ids = [(record.symbol, record.trade_id) for record in records(fleet, "trades")]
    assert len(ids) == len(set(ids))


def test_killed_at_any_moment_it_goes_on_without_doubling_and_tells_what_it_missed(fleet):
    fleet.start_program("binance_ingester")
    for _ in range(2):
        entries = fleet.redis.xlen("stream:trades")
        wait_for(lambda entries=entries: fleet.redis.xlen("stream:trades") > entries + 3, what="trades")
        fleet.redis.client_pause(10_000, all=False)
        time.sleep(0.3)  # what it reads from its socket meanwhile is in its memory alone
        fleet.kill("binance_ingester")
        fleet.redis.client_unpause()
        fleet.restart("binance_ingester")
    entries = fleet.redis.xlen("stream:trades")
    wait_for(lambda: fleet.redis.xlen("stream:trades") > entries + 3, what="trades")
    fleet.end("binance_ingester")

    told = {event.symbol: 0 for event in events(fleet, "gap") if event.channel == "trade"}
    for event in events(fleet, "gap"):
        if event.channel == "trade":
            told[event.symbol] += int(event.found) - int(event.expected)
    trades = {}
    for record in records(fleet, "trades"):
        trades.setdefault(record.symbol, []).append(int(record.trade_id))
    for symbol, ids in trades.items():
        assert len(ids) == len(set(ids))
        assert max(ids) - min(ids) + 1 - len(ids) == told.get(symbol, 0)
