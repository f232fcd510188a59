"""Markets, books and trades of a prediction market, put into their tables."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

START = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD = "since = '2026-01-01 00:00:00', until = '2026-01-02 00:00:00'"
TABLES = ("market_versions", "market_tokens", "book_snapshots", "statuses", "trades", "trade_corrections")


def stamp(seconds):
    return f"{START + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S.%f}"


def quoted(value):
    return "NULL" if value is None else f"'{value}'"


def put_market(store, name, *, question="", created_s=None, closed_s=None, is_closed=False):
    """A market `name` with the tokens `nameY` and `nameN`; `question` is its neg-risk question."""
    times = [quoted(None if at_s is None else stamp(at_s)) for at_s in (created_s, closed_s)]
    store.command(
        "INSERT INTO market_versions (venue, market_id, condition_id, question, slug, outcomes, token_ids, neg_risk, "
        "neg_risk_market_id, active, closed, created_time, closed_time, received_time, shard, offset) VALUES "
        f"('polymarket', '{name}', '0x{name}', '{name}?', 'will-{name}', ['Yes', 'No'], ['{name}Y', '{name}N'], "
        f"{bool(question)}, '{question}', true, {is_closed}, {times[0]}, {times[1]}, '{stamp(0)}', 0, 0)"
    )


def put_books(store, *books):
    """Each book is (token, second, bids, asks, depth); levels are (price, size), best first."""
    rows = ", ".join(
        f"('polymarket_clob', '{token}', '{stamp(at_s)}', '{stamp(at_s)}', {depth}, {numbers(bids, 0)}, "
        f"{numbers(bids, 1)}, {numbers(asks, 0)}, {numbers(asks, 1)}, 'maintained', 0, {number})"
        for number, (token, at_s, bids, asks, depth) in enumerate(books)
    )
    store.command(
        "INSERT INTO book_snapshots (venue, symbol, event_time, received_time, depth, bid_prices, bid_sizes, "
        f"ask_prices, ask_sizes, source, shard, offset) VALUES {rows}"
    )


def numbers(levels, which):
    return "[" + ", ".join(f"toDecimal128('{float(level[which]):.6f}', 18)" for level in levels) + "]"


def mirror(levels):
    """Return a side of one token as the other side of the other."""
    return [(1 - Fraction(str(price)), size) for price, size in levels]


def put_tick_size(store, token, at_s, size, before, offset=0):
    store.command(
        "INSERT INTO statuses (venue, symbol, kind, status, detail, event_time, received_time, shard, offset) VALUES "
        f"('polymarket_clob', '{token}', 'tick_size', '{size}', 'was {before}', '{stamp(at_s)}', '{stamp(at_s)}', 0, "
        f"{offset})"
    )


def put_trades(store, *trades):
    """Each trade is (token, seconds, price, size, side)."""
    rows = ", ".join(
        f"('polymarket_clob', '{token}', '{number}', '{stamp(at_s)}', '{stamp(at_s)}', {price}, {size}, "
        f"toDecimal128('{price}', 18) * {size}, '{side}', 'live', 0, {number})"
        for number, (token, at_s, price, size, side) in enumerate(trades)
    )
    store.command(
        "INSERT INTO trades (venue, symbol, trade_id, event_time, received_time, price, size, notional, taker_side, "
        f"source, shard, offset) VALUES {rows}"
    )


def asked(store, what, view, order="second", **more):
    """Return rows of a view for the first day, as floats."""
    words = ", ".join(f"{name} = {value!r}" for name, value in more.items())
    rows = store.sql(f"SELECT {what} FROM {view}({words}, {PERIOD}) ORDER BY {order}")
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value):
    return value if value is None or isinstance(value, (str, bool, datetime)) else float(value)
