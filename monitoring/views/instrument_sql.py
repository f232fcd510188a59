"""What ClickHouse is asked for one instrument; every question is bounded in rows and in time."""

from monitoring.asked import question

# The view that candles are made of, and their length in seconds.
INTERVALS = {
    "1s": ("bars_1s", 1),
    "1m": ("bars_1m", 60),
    "5m": ("bars_1m", 300),
    "1h": ("bars_1h", 3600),
    "1d": ("bars_1d", 86_400),
}
STEPS_S = {"15m": 2, "1h": 10, "6h": 60, "24h": 240, "7d": 1800}  # of what is drawn over each range
MOST_CANDLES = 300

# The newest candles only: a view over a long time would make all of them anew.
LAST_TRADE = question("""
SELECT toUnixTimestamp64Nano(max(event_time)) AS last_ns, count() AS n FROM
(SELECT event_time FROM trades WHERE $this ORDER BY venue DESC, symbol DESC, event_time DESC LIMIT 1) $bounded
""")
CANDLES = question("""
SELECT toUnixTimestamp(toStartOfInterval(bar.open_time, toIntervalSecond({length_s:UInt32}))) AS time,
       toFloat64(argMin(bar.open, bar.open_time)) AS open, toFloat64(max(bar.high)) AS high,
       toFloat64(min(bar.low)) AS low, toFloat64(argMax(bar.close, bar.open_time)) AS close,
       toFloat64(sum(bar.volume)) AS volume, toInt64(sum(bar.trades)) AS trades
FROM (SELECT open_time, open, high, low, close, volume, trades FROM {view:Identifier}
      WHERE $this AND open_time >= fromUnixTimestamp64Nano({since_ns:Int64}, 'UTC')
        AND open_time <= fromUnixTimestamp64Nano({until_ns:Int64}, 'UTC')) AS bar
GROUP BY time ORDER BY time $bounded
""")
TAPE = question("""
SELECT trade_id, toUnixTimestamp64Nano(event_time) AS event_ns, toString(price) AS price, toString(size) AS size,
       taker_side, source, outcome
FROM trades WHERE $this ORDER BY venue DESC, symbol DESC, event_time DESC, offset DESC LIMIT 40 $bounded
""")
LADDER = question("""
SELECT toUnixTimestamp64Nano(coalesce(event_time, received_time)) AS told_ns, source, depth,
       arrayMap(p -> toString(p), bid_prices) AS bid_prices, arrayMap(q -> toString(q), bid_sizes) AS bid_sizes,
       arrayMap(p -> toString(p), ask_prices) AS ask_prices, arrayMap(q -> toString(q), ask_sizes) AS ask_sizes
FROM book_snapshots WHERE $this AND received_time >= now() - INTERVAL 1 HOUR AND depth <= 25
ORDER BY received_time DESC, depth ASC LIMIT 1 $bounded
""")
BOOK_NOW = question("""
SELECT toUnixTimestamp64Nano(event_time) AS told_ns, toUnixTimestamp64Nano(received_time) AS received_ns, age_ms,
       mid, microprice, spread, spread_bps, imbalance_1, imbalance_5, imbalance_10, imbalance_20,
       bid_depth_10bps, ask_depth_10bps, bid_levels, ask_levels, is_crossed, is_locked
FROM book_stats WHERE $this AND event_time >= now() - INTERVAL 1 DAY
ORDER BY venue DESC, symbol DESC, event_time DESC, offset DESC LIMIT 1 $bounded
""")
LATELY = question("""
SELECT toUnixTimestamp(toStartOfInterval(event_time, toIntervalSecond({step_s:UInt32}))) AS time,
       avg(spread_bps) AS spread_bps, avg(imbalance_5) AS imbalance, avg(mid) AS mid
FROM book_stats WHERE $this AND source = 'maintained' AND event_time >= now() - toIntervalSecond({seconds:UInt32})
GROUP BY time ORDER BY time $bounded
""")
QUOTE = question("""
SELECT toString(bid_price) AS bid_price, toString(bid_size) AS bid_size, toString(ask_price) AS ask_price,
       toString(ask_size) AS ask_size, toUnixTimestamp64Nano(coalesce(event_time, received_time)) AS told_ns,
       toUnixTimestamp64Nano(received_time) AS received_ns
FROM quotes WHERE $this AND received_time >= now() - INTERVAL 1 DAY
ORDER BY venue DESC, symbol DESC, received_time DESC, offset DESC LIMIT 1 $bounded
""")
TICKER = question("""
SELECT toString(last_price) AS last_price, toUnixTimestamp64Nano(received_time) AS received_ns
FROM tickers WHERE $this AND received_time >= now() - INTERVAL 1 DAY
ORDER BY received_time DESC LIMIT 1 $bounded
""")
EVENTS = question("""
SELECT kind, channel, expected, found, detail, toUnixTimestamp64Nano(received_time) AS received_ns,
       toUnixTimestamp64Nano(from_time) AS from_ns, toUnixTimestamp64Nano(to_time) AS to_ns
FROM feed_events
WHERE venue = {venue:String} AND symbol = {symbol:String} AND from_time >= now() - INTERVAL 7 DAY
ORDER BY received_time DESC, offset DESC LIMIT 20 $bounded
""")
TOKENS = question("""
SELECT market_id, question, slug, token_ids, outcomes
FROM (SELECT market_id, argMax(question, offset) AS question, argMax(slug, offset) AS slug,
             argMax(token_ids, offset) AS token_ids, argMax(outcomes, offset) AS outcomes
      FROM market_versions WHERE market_id IN (SELECT market_id FROM market_tokens WHERE token_id = {symbol:String})
      GROUP BY market_id)
LIMIT 1 $bounded
""")
