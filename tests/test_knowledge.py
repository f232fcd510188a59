"""What a processor looks up in ClickHouse, asked by several at once."""

import asyncio

import polars as pl

from processors.knowledge import Knowledge
from processors.processor import Lookup

SCHEMA = {"token_id": pl.String, "market_id": pl.String, "outcome": pl.String}
LOOKUP = Lookup(keys=lambda frame: frame["symbol"], sql="", schema=SCHEMA)


class Slow:
    """A ClickHouse that answers all who ask when the last of them has asked."""

    def __init__(self, asking):
        self.asking = asyncio.Barrier(asking)

    async def query(self, _sql, parameters):
        await self.asking.wait()
        rows = [(key, "market", "Yes") for key in parameters["keys"]]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")


async def test_a_key_that_two_ask_for_at_once_is_known_once():
    knowledge = Knowledge(Slow(2), LOOKUP)
    found = await asyncio.gather(*(knowledge.of(pl.Series(["token", "other"])) for _ in range(2)))

    assert [2, 2] == [len(frame) for frame in found]
    assert 2 == len(await knowledge.of(pl.Series(["token", "other"])))
