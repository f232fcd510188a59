"""A day of every table that the cookbook asks, generated in the database: an hour of two venues, and three markets."""

SECONDS = 3_600
DAY = "toDateTime64('2026-11-01 00:00:00', 9, 'UTC')"
AT = f"{DAY} + INTERVAL number SECOND"
BOOKS = (("binance", "BTCUSDT", "0"), ("okx", "BTC-USDT", "2 * cos(number / 17)"))
MARKETS = (("1", "rain", ""), ("2", "a", "0xwho"), ("3", "b", "0xwho"))


def price(shift="0"):
    return f"(60000 + 50 * sin(number / 60) + {shift})"


def exact(expression):
    return f"toDecimal128({expression}, 18)"


def fill(store):
    """Put the day into the tables."""
    for number, (venue, symbol, shift) in enumerate(BOOKS):
        put_books(store, venue, symbol, shift)
        put_trades(store, (venue, symbol), price(shift), first=number * SECONDS)
    put_cycles(store, *BOOKS[1])
    for number, (name, slug, question) in enumerate(MARKETS):
        put_market(store, name, slug, question)
        put_clob(store, name, 0.3 + number / 10)
    store.command(
        "INSERT INTO feed_events (venue, symbol, channel, kind, from_time, to_time, received_time, shard, offset) "
        f"SELECT 'binance', if(number = 1, '', 'BTCUSDT'), 'depth', if(number = 1, 'disconnected', 'gap'), {DAY} + "
        f"INTERVAL number * 20 SECOND, {DAY} + INTERVAL number * 20 + 30 SECOND, {DAY}, 0, number FROM numbers(3)"
    )


def put_books(store, venue, symbol, shift):
    mid = price(shift)
    store.command(
        "INSERT INTO book_stats (venue, symbol, event_time, received_time, source, levels, bid_levels, ask_levels, "
        "best_bid, best_bid_size, best_ask, best_ask_size, mid, spread_bps, imbalance_1, bid_depth_10bps, "
        "ask_depth_10bps, ofi_1, shard, offset) "
        f"SELECT '{venue}', '{symbol}', {AT}, {AT}, 'maintained', 40, 20, 20, {exact(f'{mid} - 0.5')}, 2, "
        f"{exact(f'{mid} + 0.5')}, 2, {mid}, 1e4 / {mid}, sin(number), if(number % 7 = 0, NULL, 10 + sin(number)), 12, "
        f"cos(number / 60), 0, number FROM numbers({SECONDS})"
    )
    store.command(
        "INSERT INTO book_snapshots (venue, symbol, event_time, received_time, depth, bid_prices, bid_sizes, "
        f"ask_prices, ask_sizes, source, shard, offset) SELECT '{venue}', '{symbol}', {AT}, {AT}, 20, "
        f"arrayMap(n -> {exact(f'{mid} - n')}, range(1, 21)), arrayMap(n -> {exact('n')}, range(1, 21)), "
        f"arrayMap(n -> {exact(f'{mid} + n')}, range(1, 21)), arrayMap(n -> {exact('n')}, range(1, 21)), 'maintained', "
        f"0, number FROM numbers({SECONDS})"
    )
    store.command(
        "INSERT INTO quotes (venue, symbol, received_time, bid_price, bid_size, ask_price, ask_size, shard, offset) "
        f"SELECT '{venue}', '{symbol}', {AT}, {exact(f'{mid} - 0.5')}, 1, {exact(f'{mid} + 0.5')}, 1, 0, number "
        f"FROM numbers({SECONDS})"
    )


def put_cycles(store, venue, symbol, shift):
    """Put a whole book and a ticker a minute, under one time."""
    of_cycle = f"'{venue}', '{symbol}', {AT.replace('SECOND', 'MINUTE')}, {DAY}"
    numbers = f"0, number + {2 * SECONDS} FROM numbers(60)"
    store.command(
        "INSERT INTO book_stats (venue, symbol, event_time, received_time, source, levels, bid_levels, ask_levels, "
        "mid, bid_depth_500bps, ask_depth_500bps, imbalance_500bps, bid_slope, shard, offset) "
        f"SELECT {of_cycle}, 'rest', 10000, 5000, 5000, {price(shift)}, 300, 200, 0.2, 7, {numbers}"
    )
    store.command(
        "INSERT INTO tickers (venue, symbol, event_time, received_time, last_price, shard, offset) "
        f"SELECT {of_cycle}, {exact(price(shift))}, {numbers}"
    )


def put_trades(store, book, mid, *, first=0, market_id="", maker="''"):
    venue, symbol = book
    done = exact(f"{mid} + if(number % 2, 0.5, -0.5) * {mid} / 60000")
    at = f"{AT} + INTERVAL 500 MILLISECOND"
    store.command(
        "INSERT INTO trades (venue, symbol, trade_id, event_time, received_time, price, size, notional, taker_side, "
        f"source, market_id, maker, shard, offset) SELECT '{venue}', '{symbol}', toString(number), {at}, {at}, {done}, "
        f"2, {done} * 2, if(number % 2, 'buy', 'sell'), 'live', '{market_id}', {maker}, 0, number + {first} "
        f"FROM numbers({SECONDS})"
    )


def put_market(store, name, slug, question):
    slug = "will-it-rain" if slug == "rain" else slug
    store.command(
        "INSERT INTO market_versions (venue, market_id, condition_id, question, slug, outcomes, token_ids, neg_risk, "
        "neg_risk_market_id, active, closed, received_time, shard, offset) VALUES "
        f"('polymarket', '{name}', '0x{name}', 'Will {slug}?', '{slug}', ['Yes', 'No'], ['{name}1', '{name}2'], "
        f"{bool(question)}, '{question}', true, false, '2026-11-01 00:00:00', 0, {name})"
    )


def put_clob(store, name, fair):
    """Put the mirrored books of a market's tokens, and fills of its first one."""
    bid, ask = (exact(f"round({fair} + 0.02 * sin(number / 60), 2) {shift}") for shift in ("- 0.01", "+ 0.01"))
    for token, (bids, asks) in enumerate(((bid, ask), (f"(1 - {ask})", f"(1 - {bid})")), 1):
        store.command(
            "INSERT INTO book_snapshots (venue, symbol, event_time, received_time, depth, bid_prices, bid_sizes, "
            "ask_prices, ask_sizes, source, shard, offset) SELECT 'polymarket_clob', "
            f"'{name}{token}', {AT}, {AT}, 20, [{bids}], [100], [{asks}], [100], 'maintained', 0, number "
            "FROM numbers(600)"
        )
    put_trades(store, ("polymarket", f"{name}1"), f"{fair}", market_id=name, maker="concat('0x', toString(number % 5))")
