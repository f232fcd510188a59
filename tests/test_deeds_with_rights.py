"""What the dashboard may do to a Redis that gives each kind of program rights of its own, and no more than that."""

import asyncio
import shutil

import pytest

from common.records import DeadLetter, Ticker
from common.redis_facts import add_words, remove_words
from common.redis_streams import Shard, connect
from common.settings import Settings
from common.streams import SWITCHED_OFF, TICKERS
from launch.passwords import ACL
from monitoring.doing.alerts import muting
from monitoring.doing.deeds import do
from monitoring.doing.groups import forgetting, handing_over, pausing, resuming
from monitoring.doing.letters import Which, settling
from monitoring.doing.resetting import resetting
from monitoring.doing.symbols import Wanted, choosing
from processors.sharing import paused
from tests.deed_kit import WHO, append
from tests.fleet_harness import Fleet

pytestmark = pytest.mark.redis

SHARD, GROUP = Shard(TICKERS, 0, 1), "clickhouse_writer"


@pytest.fixture
def guarded(tmp_path):
    """A Redis with a user for each kind of program, and a group at rest in it."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    with Fleet(tmp_path) as made:
        made.start_redis()
        redis = made.redis
        redis.hset("topics", "tickers", "1")
        append(made, SHARD, *(Ticker("tester", "ABC", number, last_price="1") for number in range(3)))
        redis.xgroup_create(SHARD.key, GROUP, id="0")
        redis.hset(SHARD.group(GROUP), mapping={"position": 3, "last_id": "0-1", "epoch": 1})
        for kind in ("dashboard", "processor"):
            redis.execute_command("ACL", "SETUSER", kind, "reset", "on", f">{kind}", *_rules(ACL[kind]))
        yield made


def _rules(text):
    """Return the rules as Redis takes them: a selector in brackets is one."""
    rules, depth = [], 0
    for word in text.split():
        if depth:
            rules[-1] += f" {word}"
        else:
            rules.append(word)
        depth += word.count("(") - word.count(")")
    return rules


def as_kind(fleet, kind, question):
    settings = Settings.from_env(
        {**fleet.environment, "REDIS_USER": kind, "REDIS_PASSWORD": kind}, fleet.folder / "none"
    )

    async def run():
        async with connect(settings) as redis:
            return await question(redis, settings)

    return asyncio.run(run())


def test_the_dashboard_can_do_all_that_its_pages_offer_and_processors_see_it(guarded):
    letter = DeadLetter("x", "y", 1, id="1", stream=SHARD.key, program=GROUP, reason="?", payload="{}")

    async def deeds(redis, settings):
        await do(redis, await pausing(redis, GROUP, "tickers"), WHO)
        await do(redis, await resetting(redis, GROUP, "tickers", "beginning"), WHO)
        await do(redis, await choosing(redis, settings, "okx_ingester", Wanted(add=["SOL-USDT"]), WHO), WHO)
        await do(redis, settling(redis, "redrive", Which(id="1"), [letter]), WHO)
        await do(redis, await muting(redis, "lag", "1h"), WHO)
        await do(redis, await muting(redis, "lag", "0"), WHO)
        await add_words(redis, SWITCHED_OFF, ["okx_ingester"])
        await remove_words(redis, SWITCHED_OFF, ["okx_ingester"])

    as_kind(guarded, "dashboard", deeds)
    assert {SHARD.key} == as_kind(guarded, "processor", lambda redis, _: paused(redis, GROUP))
    assert "0" == guarded.redis.hget(SHARD.group(GROUP), "position")
    guarded.redis.hset(SHARD.group(GROUP), "owner", "gone")

    async def more(redis, _):
        await do(redis, await handing_over(redis, GROUP, SHARD.key), WHO)
        await do(redis, await resuming(redis, GROUP, "tickers"), WHO)
        await do(redis, await forgetting(redis, GROUP, "tickers"), WHO)

    as_kind(guarded, "dashboard", more)
    assert 9 == guarded.redis.xlen("stream:actions")
    assert [] == guarded.redis.xinfo_groups(SHARD.key)


@pytest.mark.parametrize(
    "command",
    [
        ("DEL", "stream:tickers"),
        ("XTRIM", "stream:tickers", "MAXLEN", "0"),
        ("XDEL", "stream:tickers", "1-1"),
        ("SET", "stream:tickers", "x"),
        ("FLUSHALL",),
        ("CONFIG", "SET", "maxmemory", "1"),
    ],
)
def test_the_dashboard_cannot_remove_a_record(guarded, command):
    async def attempt(redis, _):
        await redis.execute_command(*command)

    with pytest.raises(Exception, match=r"(?i)no permission|NOPERM"):
        as_kind(guarded, "dashboard", attempt)
    assert 1 == guarded.redis.xlen("stream:tickers")
