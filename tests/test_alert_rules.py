"""Each rule fires on its fault and is over after it, exactly once, on facts as they are read."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from common.clock import now_ns
from common.records import FeedEvent
from common.settings import Settings
from monitoring.alarms import Alarms
from monitoring.alert_facts import DISK_STEP_S, GAPS, Gathering
from monitoring.alert_rules import RULES
from monitoring.alert_terms import Facts, Thresholds
from monitoring.overview import house_of, overview
from tests.snapshot_kit import HOUR_NS, group, process, redis_reading, seen, snapshot, store_reading

SETTINGS = Settings()
HOUSE = house_of(SETTINGS)
WELL = snapshot(redis_reading(process("okx_ingester", venue="okx")), store_reading())
STOOD_NS = 10**9


def facts(shot=WELL, **others):
    return Facts(view=overview(shot, shot.taken_ns, HOUSE), **others)


def said(kind="ingester", **words):
    """Facts of a fleet whose only process says this."""
    return facts(snapshot(redis_reading(process("okx_ingester", kind, venue="okx", **words)), store_reading()))


def refusal():
    at_ns = now_ns()
    event = FeedEvent("okx", "", at_ns, channel="login", kind="refused", from_ns=at_ns, to_ns=at_ns, detail="bad key")
    return facts(replace(WELL, events=(event,)))


def killed():
    words = process("okx_ingester", venue="okx", beat_ns=now_ns() - 30 * STOOD_NS, last_error="Boom: no")
    shot = snapshot(redis_reading(), store_reading(), gone={"okx_ingester": words})
    return facts(shot, records={"okx_ingester": 1234.0}, programs={"okx_ingester": seen("EXITED", exit_status=1)})


BEHIND = snapshot(redis_reading(groups=(group(behind_s=40),)), store_reading())
TOKEN = "stale: the token dies at 22:00 UTC: renew it"
# What is amiss, and the subject and a part of the words that are told.
FAULTS = {
    "lag": (facts(BEHIND), "clickhouse_writer on trades", "behind"),
    "program": (killed(), "okx_ingester", "ago; exit code 1; last error: Boom: no; 1,234 records so far"),
    "fatal": (facts(programs={"okx_ingester": seen("FATAL", why="too quickly")}), "okx_ingester", "too quickly"),
    "crash_loop": (facts(restarts={"okx_ingester": 3}), "okx_ingester", "3 times in ten minutes"),
    "waiting": (said(state="waiting", detail="connection refused"), "okx_ingester", "connection refused"),
    "inserts": (said("processor", state="waiting", detail="insert into trades: no room"), "okx_ingester", "no room"),
    "dead_letters": (facts(replace(WELL, rates_per_s={"stream|dead_letters": 0.5})), "dead letters", "30 a minute"),
    "silent": (said(last_frame_ns=now_ns() - 200 * STOOD_NS, mute_s=120), "okx_ingester", "no word from the venue"),
    "frozen": (said(state="waiting", detail="stale: the head is 20 m old"), "okx_ingester", "the head is 20 m old"),
    "refused": (refusal(), "okx", "bad key"),
    "gaps": (facts(gaps={"okx": 20}), "okx", "20 gaps in ten minutes"),
    "server": (facts(replace(WELL, store_problem="connection refused")), "clickhouse", "connection refused"),
    "memory": (facts(memory_used=0.9), "redis", "90% full"),
    "disk": (facts(disk_free=0.05), "disk", "5.0% free"),
    "forecast": (facts(disk_full_s=7200.0), "disk", "full in 2 h"),
    "clock": (facts(clock_skew_s=-0.4), "redis", "-0.40 s from ours"),
    "spool": (facts(spooled={"okx_ingester": 2.0**20}), "okx_ingester", "1.0 MiB wait on disk"),
    "token": (said(state="waiting", detail=TOKEN), "okx_ingester", "the token dies at 22:00"),
}  # fmt: skip


def test_every_rule_has_a_fault_here_and_a_name_of_its_own():
    assert [rule.name for rule in RULES] == list(FAULTS)


def test_a_fleet_that_is_well_rings_nobody():
    alarms = Alarms(Thresholds())

    assert [] == [change for now_s in range(0, 7200, 30) for change in alarms.look(facts(), now_s)]


@pytest.mark.parametrize("name", FAULTS)
def test_a_rule_fires_on_its_fault_and_is_over_after_it_exactly_once(name):
    ill, subject, words = FAULTS[name]
    alarms, told = Alarms(Thresholds()), []
    for now_s in range(0, 7200, 10):
        told += alarms.look(ill if 600 <= now_s < 2400 else facts(), now_s)

    assert [(name, subject, "firing"), (name, subject, "over")] == [
        (change.alarm.rule, change.alarm.subject, change.state) for change in told
    ]
    assert words in told[0].alarm.words


def test_a_closed_market_is_not_silent():
    quiet = said(last_frame_ns=now_ns() - HOUR_NS, mute_s=7 * 86_400)

    assert [] == [sign for rule in RULES for sign in rule.judge(quiet, Thresholds())]


def look(gathering, *processes, programs=None):
    return gathering.facts(snapshot(redis_reading(*processes), store_reading()), programs or {})


def test_gaps_are_counted_as_they_come_also_over_a_restart():
    gathering = Gathering(SETTINGS, HOUSE)
    told = [look(gathering, process("okx_ingester", venue="okx", **{GAPS: gaps})).gaps["okx"] for gaps in (5, 8, 8, 2)]

    assert [0, 3, 3, 5] == told


def test_lives_are_counted_by_when_they_began():
    gathering = Gathering(SETTINGS, HOUSE)
    lives = [process("okx_ingester", started_ns=now_ns() - ago * STOOD_NS) for ago in (900, 200, 100, 1)]
    told = [look(gathering, life).restarts["okx_ingester"] for life in lives]

    assert [0, 0, 1, 2] == told


def test_a_disk_that_fills_is_foreseen_and_one_that_does_not_is_not(monkeypatch):
    used, clock = iter(range(10**9, 2 * 10**9, 10**6)), iter(range(0, 10**14, (DISK_STEP_S + 1) * STOOD_NS))
    usage = type(shutil.disk_usage(Path("/")))
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(2 * 10**9, u := next(used), 2 * 10**9 - u))
    monkeypatch.setattr("monitoring.alert_facts.now_ns", lambda: next(clock))
    gathering = Gathering(SETTINGS, HOUSE)
    told = [look(gathering).disk_full_s for _ in range(60)]

    assert told[0] is None
    assert 9_000 < told[-1] < 11_000  # 100 kB a second into the 940 MB that are left
