"""Deeds done on a private fleet, as the pages and the command line do them; and records appended as ingesters do."""

import asyncio

import msgspec

from common.redis_streams import connect
from common.settings import Settings
from monitoring.doing.deeds import Who, do
from tests.fleet_harness import wait_for

WHO = Who("tester", "a test")


def settings_of(fleet):
    return Settings.from_env(fleet.environment, fleet.folder / "none")


def ask(fleet, question):
    """Return what a question gives over a connection of its own."""

    async def run():
        async with connect(settings_of(fleet)) as redis:
            return await question(redis)

    return asyncio.run(run())


def looked(fleet, look):
    """Return a deed; nothing is changed."""
    return ask(fleet, look)


def done(fleet, look):
    """Do what a look gives; return what stands since."""

    async def act(redis):
        return await do(redis, await look(redis), WHO)

    return ask(fleet, act)


def append(fleet, shard, *records):
    """Append one entry as an ingester does: numbered behind what is there."""
    offset = int(fleet.redis.hget(shard.facts, "offset") or 0)
    lines = b"\n".join(msgspec.json.encode(record) for record in records)
    with fleet.redis.pipeline() as pipe:
        pipe.xadd(shard.key, {"o": offset, "n": len(records), "data": lines})
        pipe.hset(shard.facts, "offset", offset + len(records))
        pipe.execute()


def place(fleet, shard, group):
    """Return a group's position in a shard."""
    return int(fleet.redis.hget(shard.group(group), "position") or 0)


def rests(fleet, shard, group):
    """Return once nobody owns a shard."""
    wait_for(lambda: fleet.redis.hget(shard.group(group), "owner"), expected=None, what=f"{group} rests")
