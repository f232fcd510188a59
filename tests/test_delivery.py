"""Delivery into a table, against every way an insert can end without telling."""

import msgspec
import polars as pl
import pytest

from common.errors import StoreRefused
from common.tables import TICKER_ROWS, TRADE_ROWS
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

    async def rows(self, _table, *, shard, numbers):
        assert (3, (100, 106)) == (shard, numbers)
        return rows(*sorted(set(self.stored)))

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


class Standing(Engine):
    """A table of trades of which one stands under number 7."""

    def __init__(self, *script):
        super().__init__(*script)
        self.asked = []

    async def standing(self, table, venues, event_ns):
        self.asked.append((table.name, venues, event_ns))
        if self.script and self.script.pop(0) == "away":
            raise LOST
        return pl.DataFrame({"venue": ["okx"], "symbol": ["A"], "trade_id": ["1"], "stands_at": [7]})


def trades(*places, source):
    rows = [("okx", "A", trade_id, source, offset) for trade_id, offset in places]
    frame = pl.DataFrame(rows, schema=["venue", "symbol", "trade_id", "source", "offset"], orient="row")
    return frame.with_columns(event_time=pl.lit(5, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")))


async def repeated(engine, frame):
    async def at_once(_):
        return None

    delivery = Delivery(engine, TRADE_ROWS, None, lambda _: None, sleep=at_once)
    return (await delivery.repeated(frame)).to_list()


@pytest.mark.parametrize("source", ["derived", "backfill"])
async def test_a_trade_that_was_fetched_or_made_again_is_known_by_its_id(source):
    engine = Standing("away")

    assert [9] == await repeated(engine, trades(("0", 8), ("1", 9), ("2", 10), source=source))
    assert [("trades", ["okx"], (5, 5))] * 2 == engine.asked


async def test_a_trade_that_stands_in_its_own_place_is_no_repetition():
    assert [] == await repeated(Standing(), trades(("1", 7), source="derived"))


async def test_nothing_is_asked_about_what_a_venue_tells_only_once():
    engine = Standing()

    assert [] == await repeated(engine, trades(("1", 9), source="live"))
    assert [] == engine.asked


async def test_a_number_that_another_record_has_taken_does_not_hide_a_row():
    engine = Engine()
    taken = ROWS.with_columns(received_time=pl.col("received_time") + pl.duration(nanoseconds=1))

    async def others(*_, **__):
        return taken if not engine.stored else rows(*engine.stored)

    engine.rows = others
    await deliver(engine, in_doubt=True, manifest=msgspec.structs.replace(MANIFEST, doubtful=True))

    assert ROWS["offset"].to_list() == sorted(engine.stored)
