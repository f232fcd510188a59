"""`./fleet backfill` with a whole fleet: all since the beginning stands once, killed in the middle or not."""

import json
import subprocess
import time

import pytest
import requests

from tests.fleet_harness import PYTHON, ROOT, Fleet, backfill, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(150)]

SYMBOLS = {"binance": "BTCUSDT", "okx": "BTC-USDT"}
ENDPOINTS = {"binance": "historicalTrades", "okx": "type=1"}


@pytest.fixture(params=SYMBOLS)
def fleet(request, tmp_path):
    """A venue that had traded for a while before anybody listened."""
    venue = request.param
    with Fleet(tmp_path, **{f"{venue.upper()}_SYMBOLS": SYMBOLS[venue]}) as made:
        made.venue, made.symbol = venue, SYMBOLS[venue]
        made.start_simulator("--demo")
        made.start_servers()
        made.start_program("clickhouse_writer")
        made.start_program(f"{venue}_ingester")
        wait_for(lambda: stands(made)[0] > 0, what="live trades")
        yield made


def stands(fleet):
    """Return how many trades stand, how many are distinct, the first and the last number."""
    return fleet.sql(
        "SELECT count(), uniqExact(trade_id), min(toInt64(trade_id)), max(toInt64(trade_id)) FROM trades "
        f"WHERE venue = '{fleet.venue}' AND symbol = '{fleet.symbol}'"
    )[0]


def published(fleet):
    facts = requests.get(f"{fleet.environment['SIMULATOR_URL']}/_ledger", timeout=5).json()
    return facts[fleet.venue]["published"][fleet.symbol]


def order(fleet, **fault):
    requests.post(
        f"{fleet.environment['SIMULATOR_URL']}/_control", json={"venue": fleet.venue} | fault, timeout=5
    ).raise_for_status()


def command(fleet, *words):
    return [PYTHON, "-m", "monitoring.cli", "backfill", fleet.venue, "--symbol", fleet.symbol, "--json", *words]


def is_whole(fleet):
    """Return whether all numbers stand once, from before anybody listened on."""
    count, distinct, first, last = stands(fleet)
    told = next(facts["first_id"] for kind, facts in published(fleet).items() if kind in ("trade", "trades-all"))
    return count == distinct == last - first + 1 and first <= told


def test_all_since_the_beginning_is_fetched_once_though_killed_in_the_middle_and_asked_again(fleet):
    hold = {"kind": "hang", "channel": "http", "match": ENDPOINTS[fleet.venue], "times": None, "skip": 1}
    order(fleet, **hold)
    asking = subprocess.Popen(
        command(fleet, "--from", "1h"), cwd=ROOT, env=fleet.environment, stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: "wish" in (fleet.redis.get(f"state:{fleet.venue}_backfill") or ""), what="under way")
    fleet.kill(f"{fleet.venue}_ingester")
    requests.delete(f"{fleet.environment['SIMULATOR_URL']}/_control", timeout=5)
    fleet.restart(f"{fleet.venue}_ingester")
    (row,) = json.loads(asking.communicate(timeout=90)[0])
    wait_for(lambda: is_whole(fleet), what="whole")
    (again,) = backfill(fleet, fleet.venue, "--symbol", fleet.symbol, "--from", "1h")
    time.sleep(1.5)  # if it had been fetched twice, it would be on its way now

    assert ("done", row["total"]) == (row["state"], row["fetched"])
    assert row["fetched"] > 0
    assert ("done", 0) == (again["state"], again["total"])
    assert is_whole(fleet)


def fills_since(fleet, source, *, minutes):
    return fleet.sql(
        "SELECT count(), uniqExact(event_id), countIf(via = 'backfill') FROM order_events "
        f"WHERE source = '{source}' AND event_time < now() - {60 * minutes}"
    )[0]


def test_fills_from_before_anybody_listened_are_read_and_asking_again_adds_nothing(tmp_path):
    with Fleet(tmp_path) as fleet:
        fleet.start_simulator("--demo")  # which has traded for twenty minutes
        del fleet.environment["POLYGON_START_BLOCK"]
        fleet.environment["GOLDSKY_START_TIMESTAMP"] = str(int(time.time()) - 300)
        fleet.start_servers()
        sources = {"goldsky": "subgraph", "polygon": "chain"}
        for program in ("clickhouse_writer", *(f"{venue}_ingester" for venue in sources)):
            fleet.start_program(program)
        for source in sources.values():
            ask = f"SELECT count() > 0 FROM order_events WHERE source = '{source}'"
            wait_for(lambda ask=ask: fleet.sql(ask)[0][0], expected=1, what=f"fills of the {source}")
        for venue, source in sources.items():
            (row,) = backfill(fleet, venue, "--from", "18m", "--to", "12m")
            told = (row["fetched"],) * 3
            wait_for(lambda source=source: fills_since(fleet, source, minutes=8), expected=told, what=source)
            assert (True, "fills", "done") == (row["fetched"] > 100, row["unit"], row["state"])
        backfill(fleet, "polygon", "--from", "19m", "--to", "11m")
        before, *_ = told
        wait_for(lambda: fills_since(fleet, "chain", minutes=8)[0] > before, what="the minutes beside")

        assert 1 == len(set(fills_since(fleet, "chain", minutes=8)))


@pytest.mark.parametrize(
    ("venue", "why"), [("alpaca", "alpaca_stocks or alpaca_crypto"), ("polymarket_clob", "newest 4,000 of a market")]
)
def test_a_venue_that_cannot_be_asked_again_says_why(venue, why):
    ask = [PYTHON, "-m", "monitoring.cli", "backfill", venue, "--from", "1h"]
    done = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (1, True) == (done.returncode, why in " ".join(done.stderr.split()))
