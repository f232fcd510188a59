"""A stateful processor is killed at every point of a batch, handed over and rebuilt: its output stays byte for byte."""

import signal

import msgspec
import polars as pl
import pytest

from common.records import FeedEvent, Trade
from common.redis_streams import Shard
from common.streams import FEED_EVENTS, STATUSES, TICKERS, TRADES
from processors.appending import lines_of
from processors.frames import frame_of
from tests.faults.counting import GROUP, Counting
from tests.fleet_harness import PYTHON, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.timeout(120)]

SHARD = Shard(TRADES, 0, 1)
SYMBOLS = ("AAA", "BBB", "CCC")
EVERY_POINT = (
    "read:2:after",
    "begin:2:before",
    "begin:2:after",
    "commit:1:before",
    "commit:3:before",
    "commit:3:after",
    "checkpoint:1:after",
    "behind:1:after",
    "behind:2:after",
    "acquire:1:after",
)


def trade(number):
    at_ns = 1_700_000_000_000_000_000 + number
    return Trade(
        "tester",
        SYMBOLS[number % 3],
        at_ns,
        trade_id=str(number),
        event_ns=at_ns,
        price="1",
        size="1",
        taker_side="buy",
    )


def append(fleet, numbers, *, an_entry=5):
    """Append as an ingester does: numbered behind what is there."""
    numbers = list(numbers)
    for at in range(0, len(numbers), an_entry):
        part = [msgspec.json.encode(trade(number)) for number in numbers[at : at + an_entry]]
        offset = int(fleet.redis.hget(SHARD.facts, "offset") or 0)
        with fleet.redis.pipeline() as pipe:
            pipe.xadd(SHARD.key, {"o": offset, "n": len(part), "data": b"\n".join(part)})
            pipe.hset(SHARD.facts, "offset", offset + len(part))
            pipe.execute()


def uninterrupted(numbers):
    """What a single life makes of it all, as lines."""
    made = Counting(b"").turn(frame_of([trade(number) for number in numbers], Trade), pl.DataFrame())
    return lines_of(made.rows, TICKERS), lines_of(made.also[STATUSES], STATUSES)


def lines(fleet, stream):
    found = fleet.redis.xrange(stream.key(0, 1))
    return [line.encode() for _, fields in found for line in fields["data"].splitlines()]


def output(fleet):
    return lines(fleet, TICKERS), lines(fleet, STATUSES)


def position(fleet):
    return int(fleet.redis.hget(SHARD.group(GROUP), "position") or 0)


def live(fleet, process="one", **environment):
    fleet.environment |= {"CRASH": "", **environment}
    fleet.start(process, PYTHON, "-m", "tests.faults.counting", process)


def events(fleet):
    return [msgspec.json.decode(line, type=FeedEvent) for line in lines(fleet, FEED_EVENTS)]


@pytest.mark.parametrize("every_s", ["0", "3600"])
def test_killed_at_every_point_a_state_goes_on_as_if_nothing_had_been(redis_only, every_s):
    append(redis_only, range(600))
    for place in EVERY_POINT:
        if every_s == "0" and place.startswith("behind"):
            continue  # a checkpoint in each commit leaves nothing to turn again
        live(redis_only, CRASH=place, EVERY_S=every_s)
        assert -signal.SIGKILL == redis_only.processes["one"][0].wait(20), place
    append(redis_only, range(600, 700))
    live(redis_only)
    wait_for(lambda: position(redis_only), expected=700, what="position")

    assert uninterrupted(range(700)) == output(redis_only)
    assert [] == events(redis_only)


@pytest.mark.parametrize("every_s", ["0.05", "3600"])
def test_handed_over_by_signal_and_by_kill_a_state_goes_on(redis_only, every_s):
    for number, (end, process) in enumerate([("end", "one"), ("kill", "two"), ("end", "three"), ("kill", "four")]):
        live(redis_only, process, EVERY_S=every_s)
        append(redis_only, range(100 * number, 100 * number + 100))
        wait_for(lambda: position(redis_only), expected=100 * number + 100, what="position")
        getattr(redis_only, end)(process)

    assert uninterrupted(range(400)) == output(redis_only)


def test_without_catching_up_the_same_kills_are_noticed(redis_only):
    for start in (0, 100):
        live(redis_only, WITHOUT="catch_up", EVERY_S="3600")
        append(redis_only, range(start, start + 100))
        wait_for(lambda: position(redis_only), expected=start + 100, what="position")
        redis_only.kill("one")

    assert uninterrupted(range(200)) != output(redis_only)


@pytest.mark.parametrize("fault", ["missing", "of another version"])
def test_a_lost_checkpoint_is_told_and_rebuilt_from_the_stream(redis_only, fault):
    live(redis_only)
    append(redis_only, range(100))
    wait_for(lambda: position(redis_only), expected=100, what="position")
    redis_only.end("one")
    if fault == "missing":
        redis_only.redis.delete(SHARD.checkpoint(GROUP))
    else:
        redis_only.redis.hset(SHARD.checkpoint(GROUP), "state", "[0, {}]")
    live(redis_only, "two")
    append(redis_only, range(100, 200))
    wait_for(lambda: position(redis_only), expected=200, what="position")

    assert uninterrupted(range(200)) == output(redis_only)
    (event,) = events(redis_only)
    reason = "there is none" if fault == "missing" else "expected version 1, found 0"
    assert ("resync", "trades") == (event.kind, event.channel)
    assert reason in event.found
