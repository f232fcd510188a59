"""What stop.sh says is left in the streams."""

import pytest

from common.inbox import Inbox
from common.outbox import Outbox, Packet
from common.packing import pack
from common.place import Carried
from common.redis_streams import Shard, connect
from common.settings import Settings
from common.streams import TRADES
from launch.backlog import read_backlog

pytestmark = pytest.mark.redis

SHARD = Shard(TRADES, 0, 1)


async def test_a_group_that_has_never_committed_has_everything_left(redis_only):
    redis = connect(Settings(redis_host="127.0.0.1", redis_port=redis_only.redis_port))
    source, inbox = Outbox(redis, SHARD, "tester"), Inbox(redis, SHARD, "writer")
    await source.claim()
    await source.append(Packet(1, pack([b"1", b"2", b"3"])))
    await redis.xgroup_create(SHARD.key, "stranger", id="0")
    await inbox.register()
    await inbox.acquire("tester", None)
    (entry,) = await inbox.read(">", count=1, block_ms=None)
    before = (await read_backlog(redis)).unread
    await inbox.commit(0, 3, [entry.id], Carried())
    after = (await read_backlog(redis)).unread
    await redis.aclose()

    assert (3, 0) == (before, after)
