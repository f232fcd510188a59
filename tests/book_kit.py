"""Messages of books for tests, and the state that keeps them."""

import random
from decimal import Decimal

import polars as pl

from common.records import BookSnapshot, BookUpdate
from processors.frames import frame_of

SECOND_NS = 10**9
MS = 10**6
START_NS = 1_700_000_000 * SECOND_NS
NOTHING = pl.DataFrame()


def update(kind="delta", bids=(), asks=(), *, at_ns=START_NS, symbol="BTCUSDT", venue="binance", **more):
    """Return a message; levels are (price, size) texts, or (price, size, orders)."""
    received_ns = more.pop("received_ns", at_ns)
    return BookUpdate(
        venue,
        symbol,
        received_ns,
        event_ns=at_ns,
        kind=kind,
        bid_prices=tuple(level[0] for level in bids),
        bid_sizes=tuple(level[1] for level in bids),
        ask_prices=tuple(level[0] for level in asks),
        ask_sizes=tuple(level[1] for level in asks),
        bid_orders=tuple(level[2] for level in bids if len(level) > 2),
        ask_orders=tuple(level[2] for level in asks if len(level) > 2),
        **more,
    )


def frame(records, record_type=BookUpdate, first=0):
    """Return records as a processor gets them."""
    places = pl.Series("offset", range(first, first + len(records)), dtype=pl.UInt64)
    return frame_of(records, record_type).with_columns(pl.lit(0, dtype=pl.UInt16).alias("shard"), places)


def snapshot(bids, asks, *, depth=5000, source="rest", **more):
    """Return a book that came whole."""
    told = update("snapshot", bids, asks, **more)
    levels = {name: getattr(told, name) for name in told.__struct_fields__ if name.startswith(("bid_", "ask_"))}
    return BookSnapshot(
        told.venue, told.symbol, told.received_ns, event_ns=told.event_ns, depth=depth, source=source, **levels
    )


def turned(books, records, *, step=None):
    """Return everything that a state gives for records, in batches of `step`."""
    step = step or max(len(records), 1)
    made = [books.turn(frame(records[at : at + step], first=at), NOTHING) for at in range(0, len(records), step)]
    return (
        pl.concat([one.rows for one in made]),
        pl.concat([rows for one in made for rows in one.also.values()]),
        pl.concat([one.refused for one in made]),
    )


def levels(book, which):
    """Return a side of a book as (price, size) decimals, best first."""
    prices, sizes, _ = book.best_first(which).tolist()
    return [
        (Decimal(price).scaleb(-book.price_digits), Decimal(size).scaleb(-book.size_digits))
        for price, size in zip(prices, sizes, strict=True)
    ]


def random_messages(count, seed):
    """Return messages of four symbols: some late, some without a time, some that cannot be read, long silences."""
    chance, made, received_ns = random.Random(seed), [], START_NS
    for number in range(count):
        received_ns += chance.choice([0, 1, 40, 250, 1_700, 9_000, 400_000, 90_000_000]) * MS
        kind = "snapshot" if number < 4 or chance.random() < 0.1 else "delta"
        late_ms = chance.choice([0, 30, 30, 30, 1_500, 20_000])
        symbol = "ABCD"[number if number < 4 else chance.randint(0, 3)]
        at_ns = None if chance.random() < 0.1 else received_ns - late_ms * MS
        told = {"symbol": symbol, "last_sequence": number, "received_ns": received_ns}
        made.append(update(kind, *random_levels(chance), at_ns=at_ns, **told))
    end = update(symbol="END", at_ns=received_ns + 1_000 * SECOND_NS)
    return [*made, end]


def random_levels(chance):
    """Return changes of both sides; one in a hundred is no number."""
    sizes = ["0", "1", "2.5", "70"]
    bids, asks = (
        [(str(middle + chance.randint(0, 99) / 10), chance.choice(sizes)) for _ in range(3)] for middle in (90, 100)
    )
    return [("x", "1")] if chance.random() < 0.01 else bids, asks


def sorted_rows(rows):
    """Return rows or snapshots in one order."""
    return rows.sort("venue", "symbol", "event_ns", *({"depth"} & set(rows.columns)))
