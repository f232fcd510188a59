"""A venue switched off at a prompt or on a page stays down, also over a start of the fleet, until it is switched on."""

import json

import pytest
import requests

from common.clock import now_ns
from common.redis_readings import RedisReader
from monitoring.doing.deeds import NotDone
from monitoring.doing.programs import ordering
from monitoring.doing.venues import heeding, switching
from tests.deed_kit import ask, done, looked
from tests.monitoring_fixtures import dashboard, until
from tests.supervisor_kit import IDLE, states, supervisor

pytestmark = pytest.mark.redis

OKX, BINANCE = "okx_ingester", "binance_ingester"


def declared(program, why=""):
    venue = program.removesuffix("_ingester")
    return {"program": program, "kind": "ingester", "venue": venue, "enabled": not why, "why": why}


@pytest.fixture(scope="module")
def address():
    with supervisor(IDLE.format(name=OKX) + IDLE.format(name=BINANCE)) as address:
        until(lambda: states(address) == {OKX: "RUNNING", BINANCE: "RUNNING"}, "they run")
        yield address


@pytest.fixture
def fleet(redis_only, address):
    """A Redis and a Supervisor with two venues that run, and one that the settings keep off."""
    programs = [declared(OKX), declared(BINANCE), declared("polygon_ingester", "set POLYGON_RPC_URL")]
    redis_only.redis.set("fleet:programs", json.dumps(programs))
    yield redis_only
    if states(address)[OKX] != "RUNNING":
        done(redis_only, lambda redis: switching(redis, address, OKX, "on"))


def read(fleet):
    found = ask(fleet, lambda redis: RedisReader(redis).read(now_ns()))
    return {one.program: (one.enabled, one.is_off) for one in found.programs}


def test_a_venue_goes_off_and_on_and_its_neighbour_notices_nothing(fleet, address):
    assert "off, stopped" == done(fleet, lambda redis: switching(redis, address, "okx", "off"))
    assert ("STOPPED", "RUNNING") == (states(address)[OKX], states(address)[BINANCE])
    assert {OKX: (False, True), BINANCE: (True, False), "polygon_ingester": (False, False)} == read(fleet)
    assert done(fleet, lambda redis: switching(redis, address, OKX, "on")).startswith("on, running, pid ")
    assert ("RUNNING", (True, False)) == (states(address)[OKX], read(fleet)[OKX])
    deeds = [json.loads(entry["data"]) for _, entry in fleet.redis.xrange("stream:actions")]
    assert [("switch off", "./fleet switch okx off"), ("switch on", "./fleet switch okx on")] == [
        (deed["action"], deed["command"]) for deed in deeds
    ]
    assert ["on", "off"] == [deed["before"].partition(",")[0] for deed in deeds]


def test_a_venue_that_is_off_is_not_started_by_the_way(fleet, address):
    done(fleet, lambda redis: switching(redis, address, OKX, "off"))

    async def start(redis):
        return await heeding(redis, await ordering(address, "start", OKX))

    assert "its venue is switched off: ./fleet switch okx on" == looked(fleet, start).refusal
    assert "STOPPED" == states(address)[OKX]


def test_what_the_settings_keep_off_cannot_be_switched_on_and_the_setting_is_named(fleet, address):
    deed = looked(fleet, lambda redis: switching(redis, address, "polygon", "on"))

    assert "set POLYGON_RPC_URL" in deed.refusal


@pytest.mark.parametrize(("program", "way", "words"), [("okx", "on", "on already"), ("nowhere", "off", "no venue is")])
def test_what_cannot_be_switched_says_why(fleet, address, program, way, words):
    with pytest.raises(NotDone, match=words):
        done(fleet, lambda redis: switching(redis, address, program, way))


def test_the_page_offers_it_shows_who_is_off_and_what_is_gone_is_not_missed(fleet, address, tmp_path):
    beat = {"program": OKX, "kind": "ingester", "venue": "okx", "state": "running", "beat_ns": now_ns()}
    fleet.redis.hset(f"proc:{OKX}", mapping=beat)
    with dashboard(tmp_path, fleet.redis_port, SUPERVISOR_SERVER_URL=address) as url:

        def shown():
            return {one["name"] for one in requests.get(f"{url}/api/v1/overview", timeout=10).json()["processes"]}

        until(lambda: OKX in shown(), "it is seen to run")
        look = requests.get(f"{url}/do/switch-off?program={OKX}", timeout=10).text
        done(fleet, lambda redis: switching(redis, address, OKX, "off"))
        fleet.redis.delete(f"proc:{OKX}")
        until(lambda: OKX not in shown(), "it is not missed")
        page = requests.get(f"{url}/venues", timeout=10).text

    assert "./fleet switch okx off" in look
    assert "off: switched off; ./fleet switch okx on" in page
    assert (True, True) == (f"/do/switch-on?program={OKX}" in page, f"/do/switch-off?program={BINANCE}" in page)
