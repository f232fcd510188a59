"""What the dashboard remembers of a day: evenly spaced, with holes where nothing was known, and no more than it may."""

import asyncio
import itertools
import time

import numpy as np
import pytest
from structlog.testing import capture_logs

from common import redis_streams
from common.errors import HistoryLost
from common.records import KeyFigure
from common.redis_readings import RedisReader
from common.settings import Settings
from common.streams import KEY_FIGURES
from monitoring.desk import Around, Desk
from monitoring.journal import Journal
from monitoring.key_figures import KeyFigures, steady_clock
from monitoring.past import COARSE_KEPT, COARSE_S, MOST_LINES, Past
from monitoring.store_readings import StoreReader
from monitoring.tracks import Track
from monitoring.watch import Watch
from tests.fleet_harness import wait_for
from tests.snapshot_kit import redis_reading, snapshot


def test_a_mean_is_kept_of_a_rate_and_the_peak_of_a_lag():
    track = Track(10.0, 6, peaking=("lag_s",))
    for at_s, value in ((100.0, 1.0), (104.0, 5.0), (109.0, 3.0)):
        track.add(at_s, {"in|okx": value, "lag_s|writer on trades": value})

    assert [3.0] == track.read("in|okx", 1)
    assert [5.0] == track.read("lag_s|writer on trades", 1)


def test_a_step_without_a_look_is_a_hole_and_not_zero():
    track = Track(10.0, 6)
    track.add(100.0, {"in|okx": 1.0})
    track.add(130.0, {"in|okx": 4.0})

    assert [None, 1.0, None, None, 4.0] == track.read("in|okx", 5)
    assert [90.0, 100.0, 110.0, 120.0, 130.0] == track.starts_s(5)


def test_what_is_older_than_the_ring_is_gone_even_after_a_long_sleep():
    track = Track(10.0, 3)
    track.add(0.0, {"in|okx": 1.0, "in|binance": 9.0})
    track.add(100_000.0, {"in|okx": 2.0})

    assert [None, None, 2.0] == track.read("in|okx", 3)
    assert ["in|okx"] == track.names("in")


def test_a_day_is_remembered_by_the_minute():
    past = Past()
    for minute in range(COARSE_KEPT + 60):
        past.add(minute * COARSE_S, {"memory|redis": float(minute)})
    trends = past.trends("memory", "24h")

    assert (COARSE_S, COARSE_KEPT) == (trends.step_s, len(trends.times))
    assert (60.0, COARSE_KEPT + 59.0) == (trends.lines[0].values[0], trends.lines[0].values[-1])


def test_the_highest_lines_are_shown_and_the_others_counted():
    past = Past()
    past.add(0.0, {f"lag|writer on {number}": float(number) for number in range(MOST_LINES + 3)})
    trends = past.trends("lag", "15m")

    assert (f"writer on {MOST_LINES + 2}", 3) == (trends.lines[0].name, trends.hidden)
    assert ["writer on 0"] == [line.name for line in past.trends("lag", "15m", only="writer on 0").lines]


def test_what_was_seen_before_fills_holes_and_nothing_else():
    track = Track(10.0, 12)
    track.add(150.0, {"in|okx": 9.0})
    track.fill("in|okx", np.array([0.0, 60.0, 120.0]), np.array([1.0, 2.0, 3.0]), lasting_s=60.0)

    assert [None, 2.0, 2.0, 3.0, 3.0, 3.0, 9.0] == [None, *track.read("in|okx", 12)[5:8:2], *track.read("in|okx", 4)]
    assert [1.0, 1.0, 2.0] == track.read("in|okx", 12)[:3]


def figure(value):
    return KeyFigure(venue="", symbol="", received_ns=1, name="memory", label="redis", step_ns=0, value=value)


@pytest.mark.redis
async def test_what_redis_has_forgotten_is_written_once_more_and_nothing_twice(redis_only):
    settings = Settings(redis_port=redis_only.redis_port)
    redis = redis_streams.connect(settings)
    journal = Journal(redis, KEY_FIGURES, settings)
    journal.put([figure(1.0)])
    await journal.write()
    await redis.flushall()
    journal.put([figure(2.0), figure(3.0)])
    with pytest.raises(HistoryLost):
        await journal.write()
    journal.put([figure(4.0)])
    await journal.write()
    await journal.write()
    held = await redis.xrange("stream:key_figures")
    await redis.aclose()

    assert [b"2", b"1"] == [fields[b"n"] for _, fields in held]


class Looks:
    """So many snapshots of a Redis with these trades, one after the other; `now_s` is a minute later at each."""

    def __init__(self, count):
        self.snapshot = snapshot(redis_reading())
        self.now_s = 0.0
        self.left = count

    async def newer_than(self, _number):
        self.left -= 1
        return self.snapshot if self.left else None

    def clock_s(self):
        self.now_s += COARSE_S
        return self.now_s


@pytest.mark.redis
async def test_a_dashboard_that_another_has_taken_the_place_of_says_so_once(redis_only):
    settings = Settings(redis_port=redis_only.redis_port)
    redis = redis_streams.connect(settings)
    looks = Looks(2)
    older = KeyFigures(settings, redis, Past(), looks.clock_s)
    await older.follow(looks)
    await Journal(redis, KEY_FIGURES, settings).claim()
    with capture_logs() as told:
        looks.left = 5
        await older.follow(looks)
    await redis.aclose()

    assert [("key_figures.waiting", "warning")] == [(line["event"], line["log_level"]) for line in told]
    assert "another process has taken it" in told[0]["reason"]


@pytest.mark.redis
@pytest.mark.clickhouse
async def test_what_one_dashboard_saw_the_next_one_shows(fleet):
    settings = Settings(redis_port=fleet.redis_port, clickhouse_host="127.0.0.1", clickhouse_port=fleet.clickhouse_port)
    redis, stop = redis_streams.connect(settings), asyncio.Event()
    watch = Watch(RedisReader(redis), StoreReader.of(settings))
    minutes = itertools.count(time.time() // 60 * 60 - 1200, 60)
    first = KeyFigures(settings, redis, Past(), lambda: float(next(minutes)))
    fleet.start_program("clickhouse_writer")
    running = [asyncio.create_task(watch.run(stop)), asyncio.create_task(first.follow(watch))]
    seen = "SELECT count() > 0 FROM key_figures WHERE name = 'memory' AND label = 'redis' AND value > 0"
    await asyncio.to_thread(wait_for, lambda: fleet.sql(seen), expected=[(True,)], what="a minute in ClickHouse")
    stop.set()
    await asyncio.gather(*running)
    past, desk = Past(), Desk(settings, redis, Around())
    await KeyFigures(settings, redis, past, steady_clock()).recall(desk, asyncio.Event())
    await desk.close()
    await redis.aclose()
    (line,) = past.trends("memory", "1h").lines

    assert "redis" == line.name
    assert 6 <= sum(value is not None for value in line.values)
