"""
Every alarm fires on its fault, as it happens to real programs and servers, and is over after it: once each.

The faults come together, in two waves; a minute of the rules lasts about a second here.
"""

import os
import shutil
import sys
import time
from collections import Counter
from types import SimpleNamespace

import pytest
import requests

from common.clock import NS_PER_S, now_ns
from monitoring import alert_facts, alert_rules, verdicts, watch
from monitoring.supervised import ask_supervisor
from tests.alert_kit import Lookout
from tests.deed_kit import settings_of
from tests.fleet_harness import ROOT, Fleet, wait_for
from tests.supervisor_kit import states, supervisor

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(240)]

FIRST = {
    "lag": "clickhouse_writer on quotes",
    "program": "trade_processor",
    "fatal": "falls",
    "crash_loop": "falls",
    "waiting": "binance_ingester",
    "dead_letters": "dead letters",
    "silent": "alpaca_crypto_ingester",
    "frozen": "goldsky_ingester",
    "refused": "alpaca",
    "gaps": "okx",
    "token": "upstox_ingester",
    "clock": "redis",
    "disk": "disk",
    "forecast": "disk",
}
SECOND = {"server": "clickhouse", "inserts": "clickhouse_writer", "memory": "redis", "spool": "binance_ingester"}
PROGRAMS = (
    "clickhouse_writer", "trade_processor", "binance_ingester", "okx_ingester", "goldsky_ingester",
    "alpaca_crypto_ingester", "upstox_ingester",
)  # fmt: skip
SETTINGS = {
    "ALERT_LAG_S": "10",
    "ALERT_GAPS_PER_10_MIN": "1",
    "ALERT_CLOCK_SKEW_S": "5",
    "GOLDSKY_LAG_S": "12",
    "GOLDSKY_POLL_S": "0.5",
    "BINANCE_SYMBOLS": "BTCUSDT",
    "ALPACA_MUTE_S": "8",
    "OKX_SYMBOLS": "BTC-USDT",
}
FALLS = f"""
[program:falls]
command=sh -c "test -e {{folder}}/healed && exec sleep 600"
startretries=2
[eventlistener:crash_listener]
command={sys.executable} -m monitoring.crash_listener
directory={ROOT}
environment=REDIS_PORT="%(ENV_REDIS_PORT)s"
events=PROCESS_STATE_EXITED,PROCESS_STATE_BACKOFF,TICK_5
"""
TOTAL = 1_000_000
TOKEN_LIFE_S = 15.0  # the ingester looks at it every five seconds


class Machine:
    """A clock and a disk that go wrong on demand."""

    def __init__(self):
        self.ahead_s = 0.0
        self.fills_since_s = None

    def now_ns(self):
        return now_ns() + round(self.ahead_s * NS_PER_S)

    def disk_usage(self, _path):
        """Half empty; when it goes wrong, a twentieth is free, and a thousandth of that less each second."""
        used = TOTAL // 2
        if self.fills_since_s is not None:
            used = round(TOTAL * (0.95 + 0.00005 * (time.monotonic() - self.fills_since_s)))
        return SimpleNamespace(total=TOTAL, used=used, free=TOTAL - used)


@pytest.fixture(scope="module")
def machine():
    """A machine of our own, and rules whose spans of minutes are seconds."""
    made = Machine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "now_ns", made.now_ns)
        patch.setattr(alert_facts, "shutil", SimpleNamespace(disk_usage=made.disk_usage))
        patch.setattr(alert_facts, "DISK_STEP_S", 1)
        patch.setattr(alert_facts, "DISK_STEPS", 15)
        patch.setattr(alert_facts, "SPAN_NS", 15 * NS_PER_S)
        patch.setattr(alert_rules, "MINUTE_S", 1.5)
        patch.setattr(verdicts, "SILENCE_SLOW_S", 5.0)
        patch.setattr(verdicts, "BEAT_DOWN_S", 8.0)
        yield made


@pytest.fixture(scope="module")
def told(tmp_path_factory, machine):
    """What was told in each wave, as rule, subject and state, in order, and what stands in ClickHouse of it."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path_factory.mktemp("fleet"), **SETTINGS) as fleet, pytest.MonkeyPatch.context() as patch:
        fleet.start_servers()
        fleet.start_simulator("--demo")
        fleet.environment |= {name: value for name, value in SETTINGS.items() if name.endswith(("_SYMBOLS", "_S"))}
        patch.setenv("REDIS_PORT", str(fleet.redis_port))
        for program in PROGRAMS:
            fleet.start_program(program)
        for program in PROGRAMS[2:]:
            wait_for(lambda name=program: _frames(fleet, name) > 0, what=f"frames of {program}")
        yield _told(fleet, machine)


def _told(fleet, machine):
    with supervisor(FALLS) as address:
        wait_for(lambda: states(address).get("falls"), expected="FATAL", what="it falls")
        with Lookout(settings_of(fleet), address) as before:
            _break(fleet, machine)
            _wait(before, FIRST, "firing")
        with Lookout(settings_of(fleet), address) as after:  # which is not to tell again
            _mend(fleet, machine, address)
            _wait(after, dict(which for which in FIRST.items() if which in before.firing), "over")
            first = [*before.alarms, *after.alarms]
            _break_servers(fleet)
            _wait(after, SECOND, "firing")
            _mend_servers(fleet)
            _wait(after, SECOND, "over")
            told = [*before.alarms, *after.alarms]
            held = "SELECT rule, subject, state FROM alerts ORDER BY offset"
            wait_for(lambda: len(fleet.sql(held)) >= len(told), what="the history")
            return first, told[len(first) :], fleet.sql(held)


def _break(fleet, machine):
    fleet.environment["ALPACA_SECRET_KEY"] = "wrong"
    fleet.start_program("alpaca_stocks_ingester")
    fleet.processes["alpaca_stocks_ingester"][0].wait(30)
    _order(fleet, "alpaca", "silence")
    _order(fleet, "okx", "gap", channel="socket", times=8)
    _order(fleet, "upstox", "token_life", delay_s=TOKEN_LIFE_S)
    _order(fleet, "upstox", "disconnect", channel="socket")  # a token is asked for before each dial
    _order(fleet, "binance", "refuse", times=None)
    _order(fleet, "binance", "disconnect", channel="socket")
    _order(fleet, "goldsky", "frozen_head")
    fleet.kill("trade_processor")
    fleet.redis.sadd("paused:clickhouse_writer", "stream:quotes")
    fleet.redis.hset("topics", "statuses", "1")
    fleet.redis.xadd("stream:statuses", {"o": 0, "n": 1, "data": "no record"})
    fleet.redis.hset("shard:{stream:statuses}", "offset", 1)
    machine.ahead_s, machine.fills_since_s = 20.0, time.monotonic()


def _mend(fleet, machine, address):
    requests.delete(f"{fleet.environment['SIMULATOR_URL']}/_control", timeout=10).raise_for_status()
    fleet.restart("trade_processor")
    fleet.redis.delete("paused:clickhouse_writer", "program:crashes")
    machine.ahead_s, machine.fills_since_s = 0.0, None
    folder = os.path.dirname(address.removeprefix("unix://"))  # noqa: PTH120  a socket's address
    open(f"{folder}/healed", "w").close()  # noqa: PTH123
    ask_supervisor(address, "startProcess", "falls")


def _break_servers(fleet):
    fleet.kill("clickhouse")
    fleet.redis.acl_setuser("default", enabled=True, nopass=True, commands=["-xadd"])
    used = fleet.redis.info("memory")["used_memory"]
    fleet.redis.config_set("maxmemory", round(used / 0.9))


def _mend_servers(fleet):
    fleet.redis.config_set("maxmemory", 0)
    fleet.redis.acl_setuser("default", enabled=True, nopass=True, commands=["+xadd"])
    fleet.start_clickhouse()


def _order(fleet, venue, kind, **more):
    fault = {"venue": venue, "kind": kind, **more}
    requests.post(f"{fleet.environment['SIMULATOR_URL']}/_control", json=fault, timeout=10).raise_for_status()


def _frames(fleet, program):
    return int(fleet.redis.hget(f"proc:{program}", "frames_total") or 0)


def _wait(lookout, alarms, state):
    """Wait until the last that was told of each is this; what passes by itself may be over already."""

    def others():
        last = {name: lookout.states(name, subject)[-1:] for name, subject in alarms.items()}
        return {name: found for name, found in last.items() if found not in ([state], ["over"])}

    wait_for(others, expected={}, give_up_s=40, what=f"each is {state}")


@pytest.mark.parametrize(("rule", "subject"), [*FIRST.items(), *SECOND.items()])
def test_an_alarm_fires_on_its_fault_and_is_over_after_it_once_each(told, rule, subject):
    first, second, held = told

    assert ["firing", "over"] == _states(first if rule in FIRST else second, rule, subject)
    assert _states([*first, *second], rule, subject) == _states(held, rule, subject)


def _states(alarms, rule, subject):
    return [state for *which, state in alarms if which == [rule, subject]]


def test_every_rule_is_tried():
    assert {rule.name for rule in alert_rules.RULES} == {*FIRST, *SECOND}
    assert 1 == Counter([*FIRST, *SECOND]).most_common(1)[0][1]
