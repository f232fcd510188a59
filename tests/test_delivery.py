"""Delivery into a table, against every way an insert can end without telling."""

import polars as pl
import pytest

from common.errors import StoreRefused
from common.tables import TICKER_ROWS
from processors.delivery import Delivery
from processors.manifest import Manifest

MANIFEST = Manifest("stream:tickers", "clickhouse_writer", "1-0", "2-0", 100, 106)
LOST = StoreRefused("insert", code=0, reason="connection reset")
BUSY = StoreRefused("insert", code=252, reason="too many parts")
BAD_ROW = StoreRefused("insert", code=407, reason="decimal overflow")


def rows(*offsets):
    times = pl.Series(offsets, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))
    numbers = pl.Series(offsets, dtype=pl.UInt64)
    return pl.DataFrame({"shard": [3] * len(offsets), "offset": numbers, "received_time": times})


ROWS = rows(100, 101, 102, 104, 105)


def second_round(*offsets):
    return MANIFEST.next_round(pl.Series(offsets, dtype=pl.UInt64))


class Engine:
    """A table with a deduplication log. `script` says what goes wrong with each insert in turn."""

    def __init__(self, *script, poison=()):
        self.stored, self.tokens, self.script, self.poison = [], [], list(script), set(poison)
        self.running = 0

    async def insert(self, table, frame, token):
        assert table is TICKER_ROWS
        offsets = frame["offset"].to_list()
        if self.poison & set(offsets):
            raise BAD_ROW
        fault = self.script.pop(0) if self.script else "well"
        if fault in ("refused", "busy"):
            raise LOST if fault == "refused" else BUSY
        known = token in self.tokens
        self.tokens.append(token)
        kept = {"stored, reply lost": offsets, "well": offsets, "half stored": offsets[:2], "logged, part lost": []}
        if not known:
            self.stored += kept[fault]
        if fault != "well":
            raise LOST

    async def offsets(self, _table, *, shard, numbers, received_ns):
        assert (3, (100, 106)) == (shard, numbers)
        found = {offset for offset in self.stored if received_ns[0] <= offset <= received_ns[1]}
        return pl.Series(sorted(found), dtype=pl.UInt64)

    async def is_running(self, _token):
        self.running -= 1
        return self.running >= 0


async def deliver(engine, *, in_doubt=False, frame=ROWS, manifest=MANIFEST):
    names = []

    async def rename(start, manifest):
        names.append((start, manifest))

    async def at_once(_):
        return None

    delivery = Delivery(engine, TICKER_ROWS, rename, lambda _: None, sleep=at_once)
    refused = await delivery.store(frame, manifest, in_doubt=in_doubt)
    return refused, names


@pytest.mark.parametrize(
    "script",
    [
        (),
        ("refused",),
        ("stored, reply lost",),
        ("half stored",),
        ("logged, part lost",),
        ("logged, part lost", "refused", "busy"),
        ("busy", "half stored", "logged, part lost", "half stored"),
    ],
)
async def test_every_row_stands_once_however_the_inserts_end(script):
    engine = Engine(*script)
    refused, _ = await deliver(engine)

    assert ROWS["offset"].to_list() == sorted(engine.stored)
    assert refused.is_empty()


async def test_what_an_earlier_owner_stored_is_not_stored_again():
    engine = Engine()
    engine.stored = [100, 101]
    engine.tokens = [MANIFEST.token]
    _, names = await deliver(engine, in_doubt=True)

    assert ROWS["offset"].to_list() == sorted(engine.stored)
    assert [(100, second_round(102, 104, 105).encode())] == names


@pytest.mark.parametrize("has_happened", [True, False])
async def test_a_second_round_that_was_cut_off_is_repeated_as_it_was_named(has_happened):
    engine = Engine()
    engine.stored, engine.tokens = [100, 101], [MANIFEST.token]
    named = second_round(102, 104, 105)
    if has_happened:
        engine.stored += [102, 104, 105]
        engine.tokens.append(named.token)
    await deliver(engine, in_doubt=True, manifest=named)

    assert ROWS["offset"].to_list() == sorted(engine.stored)


async def test_the_next_token_is_in_redis_before_a_row_is_written_under_it():
    engine = Engine("logged, part lost")
    _, names = await deliver(engine)

    named = second_round(*ROWS["offset"])
    assert [MANIFEST.token, MANIFEST.token, named.token] == engine.tokens
    assert [(100, named.encode())] == names


async def test_no_difference_is_inserted_while_an_insert_of_the_batch_still_runs():
    engine = Engine("stored, reply lost")
    engine.running = 3
    await deliver(engine)

    assert engine.running < 0
    assert ROWS["offset"].to_list() == sorted(engine.stored)


@pytest.mark.parametrize("poison", [(100,), (105,), (101, 104), (100, 101, 102, 104, 105)])
async def test_only_the_rows_at_fault_are_refused_and_the_rest_is_stored(poison):
    engine = Engine(poison=poison)
    refused, _ = await deliver(engine)

    assert list(poison) == sorted(refused["offset"].to_list())
    assert [offset for offset in ROWS["offset"] if offset not in poison] == sorted(engine.stored)
    assert {"insert: decimal overflow (code 407)"} == set(refused["reason"])


async def test_rows_at_fault_are_found_again_after_a_crash_in_a_later_round():
    engine = Engine(poison=(104,))
    engine.stored, engine.tokens = [100, 101], [MANIFEST.token]
    refused, _ = await deliver(engine, in_doubt=True, manifest=second_round(102, 105))

    assert [104] == refused["offset"].to_list()
    assert [100, 101, 102, 105] == sorted(engine.stored)


async def test_an_empty_batch_asks_the_engine_nothing():
    engine = Engine()
    await deliver(engine, frame=ROWS.clear())

    assert [] == engine.tokens
