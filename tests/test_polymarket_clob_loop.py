"""The CLOB's feed in the real loop: markets chosen while it runs, sockets that break, a venue that asks for time."""

import json
from collections import Counter

import pytest

from common.streams import symbols_key
from simulator.faults import Fault
from simulator.run import demo
from tests.ingest_kit import events, records, redis_of_module, running, until
from tests.simulator_kit import get

PROGRAM = "polymarket_clob_ingester"
VENUE = "polymarket_clob"
__all__ = ["redis_of_module"]

pytestmark = pytest.mark.redis


@pytest.fixture
def redis(redis_of_module):
    redis_of_module.redis.flushall()
    return redis_of_module


async def listed(simulator, count):
    """Return slug and tokens of the largest markets."""
    url = f"{simulator.environment['POLYMARKET_GAMMA_URL']}/markets"
    told = (await get(url, order="volumeNum", closed="false", limit=count)).json()
    return [(one["slug"], one.get("positionIds") or json.loads(one["clobTokenIds"])) for one in told]


def snapshots(redis):
    return Counter(update.symbol for update in records(redis, "books") if update.kind == "snapshot")


def has_books(redis, tokens):
    return lambda: set(tokens) <= set(snapshots(redis))


async def test_markets_can_be_chosen_while_the_sockets_live(redis):
    async with demo() as simulator:
        (first, first_tokens), (second, second_tokens) = await listed(simulator, 2)
        environment = simulator.environment | {"POLYMARKET_MARKETS": first}
        async with running(redis, PROGRAM, environment) as one:
            await until(has_books(redis, first_tokens), what="the first market")
            redis.redis.sadd(symbols_key(PROGRAM), first, second)
            await until(has_books(redis, second_tokens), what="the second market")

            assert 0 == one.figures["reconnects_total"]


async def test_after_a_broken_connection_every_book_begins_anew(redis):
    async with demo() as simulator:
        tokens = (await listed(simulator, 1))[0][1]
        environment = simulator.environment | {"POLYMARKET_MARKETS": ",".join(tokens)}
        async with running(redis, PROGRAM, environment) as one:
            await until(has_books(redis, tokens), what="the first books")
            simulator.faults.order(Fault(kind="disconnect", venue=VENUE))
            await until(lambda: len(events(redis, "connected")), 2, what="connected again")
            await until(lambda: min(snapshots(redis)[token] for token in tokens) > 1, what="new books")

            assert 1 == one.figures["reconnects_total"]
            assert 1 == len(events(redis, "disconnected"))


async def test_a_socket_that_cannot_be_dialled_is_dialled_again(redis):
    async with demo() as simulator:
        tokens = (await listed(simulator, 1))[0][1]
        simulator.faults.order(Fault(kind="refuse", venue=VENUE, times=2))
        environment = simulator.environment | {"POLYMARKET_MARKETS": ",".join(tokens)}
        async with running(redis, PROGRAM, environment) as one:
            await until(has_books(redis, tokens), what="the books")

            assert 2 == one.figures["reconnects_total"]


async def test_books_are_asked_for_again_when_the_venue_restarts_its_engine(redis):
    async with demo() as simulator:
        tokens = (await listed(simulator, 1))[0][1]
        simulator.faults.order(Fault(kind="gap", venue=VENUE, match="book:", times=None))
        simulator.faults.order(Fault(kind="gap", venue=VENUE, match="price_change:", times=None))
        simulator.faults.order(Fault(kind="status", venue=VENUE, match="/books", status=425, times=2))
        environment = simulator.environment | {"POLYMARKET_MARKETS": ",".join(tokens)}
        async with running(redis, PROGRAM, environment) as one:
            await until(has_books(redis, tokens), give_up_s=30, what="the books")

            assert 2 == one.figures["questions_failed_total"]
