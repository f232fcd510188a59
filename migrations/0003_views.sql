CREATE VIEW IF NOT EXISTS v_trades AS
SELECT venue, symbol, trade_id, event_time, received_time, toFloat64(price) AS price, toFloat64(size) AS size,
       toFloat64(notional) AS notional, taker_side, source, market_id, outcome
FROM trades
COMMENT 'Trades with floats, for charts.';

CREATE VIEW IF NOT EXISTS v_candles_1m AS
SELECT venue, symbol, open_time, toFloat64(open) AS open, toFloat64(high) AS high, toFloat64(low) AS low,
       toFloat64(close) AS close, toFloat64(volume) AS volume, vwap, trades
FROM bars_1m
COMMENT 'One-minute candles with floats, for charts.';

-- A book at each whole second: what happened before it. The rows of `book_stats` in between tell changes of 100 ms. The imbalance
-- is that of the best prices; depth is in base currency within 10 bps of the mid, null where the book is not known so far.
CREATE VIEW IF NOT EXISTS v_book_1s AS
SELECT venue, symbol, event_time AS second, toFloat64(best_bid) AS best_bid, toFloat64(best_ask) AS best_ask, mid, spread_bps,
       imbalance_1 AS imbalance, bid_depth_10bps, ask_depth_10bps
FROM book_stats
WHERE source = 'maintained' AND toUnixTimestamp64Nano(event_time) % 1000000000 = 0
COMMENT 'Books second by second with floats, for charts.';

CREATE VIEW IF NOT EXISTS v_quality_hourly AS
SELECT toStartOfHour(from_time) AS hour, venue, kind, count() AS events, uniqExact(symbol) AS symbols,
       sum(greatest(0, toUnixTimestamp64Nano(to_time) - toUnixTimestamp64Nano(from_time))) / 1e9 AS concerned_s
FROM feed_events
GROUP BY hour, venue, kind
COMMENT 'What went wrong on the wires, by hour.';

-- What trades cost and what they do to the price. Ask them as functions:
-- SELECT * FROM trade_costs(venue = 'binance', symbol = 'BTCUSDT', since = '2026-01-01 00:00:00', until = '2026-01-02 00:00:00')
-- Trades and quotes meet by the time at which their bytes reached us: not every venue gives its quotes a time.
-- Effective spread = realised spread + price impact, each 2D(…)/m in bps, D = 1 for a buyer who crosses, -1 for a seller.
-- Huang and Stoll, Journal of Financial Economics 41 (1996).
CREATE VIEW IF NOT EXISTS trade_costs AS
WITH
    mids AS
    (
        SELECT received_time, offset, (toFloat64(bid_price) + toFloat64(ask_price)) / 2 AS mid
        FROM quotes
        WHERE venue = {venue:String} AND symbol = {symbol:String} AND bid_price > 0 AND ask_price > 0
    ),
    (SELECT max(received_time) FROM mids) AS known_until
SELECT
    told.trade_id AS trade_id,
    told.received_time AS received_time,
    toFloat64(told.price) AS price,
    toFloat64(told.size) AS size,
    if(told.taker_side = 'buy', 1, -1) AS direction,
    nullIf(before.mid, 0) AS mid,
    2e4 * direction * (price - mid) / mid AS effective_spread_bps,
    if(told.received_time + INTERVAL 1 SECOND <= known_until, after_1s.mid, NULL) AS mid_1s,
    if(told.received_time + INTERVAL 10 SECOND <= known_until, after_10s.mid, NULL) AS mid_10s,
    if(told.received_time + INTERVAL 60 SECOND <= known_until, after_60s.mid, NULL) AS mid_60s,
    2e4 * direction * (price - mid_1s) / mid AS realised_spread_1s_bps,
    2e4 * direction * (price - mid_10s) / mid AS realised_spread_10s_bps,
    2e4 * direction * (price - mid_60s) / mid AS realised_spread_60s_bps,
    2e4 * direction * (mid_1s - mid) / mid AS impact_1s_bps,
    2e4 * direction * (mid_10s - mid) / mid AS impact_10s_bps,
    2e4 * direction * (mid_60s - mid) / mid AS impact_60s_bps
FROM
(
    SELECT *, received_time + INTERVAL 1 SECOND AS in_1s, received_time + INTERVAL 10 SECOND AS in_10s,
           received_time + INTERVAL 60 SECOND AS in_60s, 1 AS one
    FROM trades_now
    WHERE venue = {venue:String} AND symbol = {symbol:String} AND taker_side IN ('buy', 'sell')
      AND received_time >= {since:DateTime64(9, 'UTC')} AND received_time < {until:DateTime64(9, 'UTC')}
) AS told
ASOF LEFT JOIN (SELECT *, 1 AS one FROM mids) AS before ON told.one = before.one AND told.received_time > before.received_time
ASOF LEFT JOIN (SELECT *, 1 AS one FROM mids) AS after_1s ON told.one = after_1s.one AND told.in_1s >= after_1s.received_time
ASOF LEFT JOIN (SELECT *, 1 AS one FROM mids) AS after_10s ON told.one = after_10s.one AND told.in_10s >= after_10s.received_time
ASOF LEFT JOIN (SELECT *, 1 AS one FROM mids) AS after_60s ON told.one = after_60s.one AND told.in_60s >= after_60s.received_time
ORDER BY told.received_time, told.offset
COMMENT 'Effective and realised spread of each trade, in bps of the mid before it; null where no quote tells.';

-- Realised variance (sum of r²), bipower variation (π/2 · Σ|r||r before|) and what is left for jumps, by day, of log returns
-- between the closes of one-minute candles; a minute without a trade has no return of its own.
-- Barndorff-Nielsen and Shephard, Journal of Financial Econometrics 2 (2004).
CREATE VIEW IF NOT EXISTS realised_variance AS
SELECT
    toDate(open_time) AS day,
    count() AS returns,
    sum(r * r) AS realised_variance,
    if(count() > 1, pi() / 2 * sum(abs(r) * abs(before)), NULL) AS bipower_variation,
    greatest(realised_variance - bipower_variation, 0) AS jump_variation
FROM
(
    SELECT open_time, r, lagInFrame(r, 1, 0.) OVER (PARTITION BY toDate(open_time) ORDER BY open_time) AS before
    FROM
    (
        SELECT
            open_time,
            log(toFloat64(close)) - log(lagInFrame(toNullable(toFloat64(close)), 1, NULL) OVER (ORDER BY open_time)) AS r
        FROM bars_1m
        WHERE venue = {venue:String} AND symbol = {symbol:String}
          AND open_time >= {since:DateTime64(9, 'UTC')} AND open_time < {until:DateTime64(9, 'UTC')}
    )
    WHERE r IS NOT NULL
)
GROUP BY day
ORDER BY day
COMMENT 'Realised variance, bipower variation and jumps by day, from one-minute closes.';

-- Volume that crossed upwards less volume that crossed downwards, second by second, and summed from the beginning.
CREATE VIEW IF NOT EXISTS volume_delta AS
SELECT
    open_time,
    buy_volume,
    sell_volume,
    buy_volume - sell_volume AS delta,
    sum(buy_volume - sell_volume) OVER (ORDER BY open_time) AS cumulative_delta
FROM bars_1s
WHERE venue = {venue:String} AND symbol = {symbol:String}
  AND open_time >= {since:DateTime64(9, 'UTC')} AND open_time < {until:DateTime64(9, 'UTC')}
ORDER BY open_time
COMMENT 'Cumulative volume delta (CVD) in base currency.';

-- Buckets of equal volume V; VPIN is the mean of |buy - sell| / V over the last `buckets` whole ones. A trade that is larger
-- than the room in its bucket is shared out. The last bucket, which is not full, is left out.
-- Easley, López de Prado and O'Hara, Review of Financial Studies 25 (2012); sides are told here, not guessed.
CREATE VIEW IF NOT EXISTS vpin AS
WITH shares AS
(
    SELECT
        bucket,
        received_time,
        taker_side,
        least(behind, (bucket + 1) * {bucket_volume:Float64}) - greatest(before, bucket * {bucket_volume:Float64}) AS volume
    FROM
    (
        SELECT
            received_time,
            taker_side,
            sum(toFloat64(size)) OVER (ORDER BY event_time, offset) AS behind,
            behind - toFloat64(size) AS before
        FROM trades_now
        WHERE venue = {venue:String} AND symbol = {symbol:String} AND taker_side IN ('buy', 'sell')
          AND received_time >= {since:DateTime64(9, 'UTC')} AND received_time < {until:DateTime64(9, 'UTC')}
    )
    ARRAY JOIN range(toUInt64(floor(before / {bucket_volume:Float64})), toUInt64(ceil(behind / {bucket_volume:Float64}))) AS bucket
)
SELECT
    bucket,
    ended,
    imbalance,
    if(count() OVER last_buckets = {buckets:UInt32}, avg(imbalance) OVER last_buckets, NULL) AS vpin
FROM
(
    SELECT
        bucket,
        max(received_time) AS ended,
        abs(sumIf(volume, taker_side = 'buy') - sumIf(volume, taker_side = 'sell')) / {bucket_volume:Float64} AS imbalance
    FROM shares
    GROUP BY bucket
    HAVING sum(volume) >= {bucket_volume:Float64} * (1 - 1e-9)
)
WINDOW last_buckets AS (ORDER BY bucket ROWS BETWEEN {buckets:UInt32} - 1 PRECEDING AND CURRENT ROW)
ORDER BY bucket
COMMENT 'Volume-synchronised probability of informed trading; null until there are enough whole buckets.';

-- Kyle's lambda: the slope of the change of the close over the signed volume, minute by minute (Kyle, Econometrica 53, 1985).
-- Amihud's illiquidity: the mean of |return| over the notional, per unit of quote currency (Amihud, JFM 5, 2002).
-- Roll's spread: 2·sqrt(-cov(Δp, Δp before)), null where that is positive (Roll, Journal of Finance 39, 1984).
CREATE VIEW IF NOT EXISTS price_impact AS
SELECT
    count() AS minutes,
    if(count() > 1, covarPop(change, signed_volume) / nullIf(varPop(signed_volume), 0), NULL) AS kyle_lambda,
    avgIf(abs(r) / notional, notional > 0) AS amihud_illiquidity,
    covarPopIf(change, before, before IS NOT NULL) AS change_covariance,
    if(change_covariance < 0, 2 * sqrt(-change_covariance), NULL) AS roll_spread
FROM
(
    SELECT *, lagInFrame(toNullable(change), 1, NULL) OVER (ORDER BY open_time) AS before
    FROM
    (
        SELECT
            open_time,
            toFloat64(close) - lagInFrame(toNullable(toFloat64(close)), 1, NULL) OVER (ORDER BY open_time) AS change,
            log(toFloat64(close)) - log(lagInFrame(toNullable(toFloat64(close)), 1, NULL) OVER (ORDER BY open_time)) AS r,
            toFloat64(buy_volume - sell_volume) AS signed_volume,
            toFloat64(notional) AS notional
        FROM bars_1m
        WHERE venue = {venue:String} AND symbol = {symbol:String}
          AND open_time >= {since:DateTime64(9, 'UTC')} AND open_time < {until:DateTime64(9, 'UTC')}
    )
    WHERE change IS NOT NULL
)
COMMENT 'What volume does to the price: Kyle, Amihud and Roll over one-minute candles.';

-- The venue's own one-minute candles beside those made of its trades, minute by minute, and why they differ. Docs: docs/candles.md.
-- equal      all of open, high, low, close and volume, and the number of trades where the venue tells it; or neither had a trade
-- unfinished the venue has not called its candle final
-- gap        trades are known to be missing in that minute
-- cut        the first or the last minute with trades of ours: we were not there for all of it
-- not_told   the venue told no candle; no_trades: it told one, and none of its trades came
-- fewer_trades, more_trades  by volume: ours against the venue's
-- order      the same volume, high and low: another trade was the first or the last
-- prices     the same volume, but another high or low: the venue leaves some trades out of its prices
CREATE VIEW IF NOT EXISTS candles_compared AS
WITH
    theirs AS
    (
        SELECT open_time, toNullable(open) AS open, toNullable(high) AS high, toNullable(low) AS low, toNullable(close) AS close,
               toNullable(volume) AS volume, trades, is_closed
        FROM bars
        WHERE venue = {venue:String} AND symbol = {symbol:String} AND interval IN ('1m', 'I1')
          AND open_time >= {since:DateTime64(9, 'UTC')} AND open_time < {until:DateTime64(9, 'UTC')}
    ),
    ours AS
    (
        SELECT open_time, toNullable(open) AS open, toNullable(high) AS high, toNullable(low) AS low, toNullable(close) AS close,
               toNullable(volume) AS volume, toNullable(trades) AS trades
        FROM bars_1m
        WHERE venue = {venue:String} AND symbol = {symbol:String}
          AND open_time >= {since:DateTime64(9, 'UTC')} AND open_time < {until:DateTime64(9, 'UTC')}
    ),
    gaps AS
    (
        SELECT DISTINCT toDateTime64(60 * number, 9, 'UTC') AS minute
        FROM feed_events
        ARRAY JOIN range(toUInt64(intDiv(toUnixTimestamp(from_time), 60)), toUInt64(intDiv(toUnixTimestamp(to_time), 60) + 1)) AS number
        WHERE venue = {venue:String} AND symbol IN ({symbol:String}, '') AND kind IN ('gap', 'disconnected')
          AND (symbol = '' OR startsWith(channel, 'trade'))
          AND to_time >= {since:DateTime64(9, 'UTC')} AND from_time < {until:DateTime64(9, 'UTC')}
          AND to_time < from_time + INTERVAL 400 DAY
    )
SELECT
    if(has_ours, ours.open_time, theirs.open_time) AS open_time,
    theirs.open IS NOT NULL AS has_theirs,
    ours.open IS NOT NULL AS has_ours,
    toFloat64(theirs.open) AS their_open, toFloat64(ours.open) AS our_open,
    toFloat64(theirs.high) AS their_high, toFloat64(ours.high) AS our_high,
    toFloat64(theirs.low) AS their_low, toFloat64(ours.low) AS our_low,
    toFloat64(theirs.close) AS their_close, toFloat64(ours.close) AS our_close,
    toFloat64(theirs.volume) AS their_volume, toFloat64(ours.volume) AS our_volume,
    theirs.trades AS their_trades, ours.trades AS our_trades,
    multiIf(
        has_theirs AND NOT coalesce(theirs.is_closed, true), 'unfinished',
        has_theirs AND has_ours AND theirs.volume = ours.volume AND theirs.high = ours.high AND theirs.low = ours.low
            AND theirs.open = ours.open AND theirs.close = ours.close AND coalesce(theirs.trades = ours.trades, true), 'equal',
        NOT has_ours AND theirs.volume = 0, 'equal',
        open_time IN (SELECT minute FROM gaps), 'gap',
        open_time IN (SELECT arrayJoin([min(ours.open_time), max(ours.open_time)]) FROM ours), 'cut',
        NOT has_theirs, 'not_told',
        NOT has_ours, 'no_trades',
        ours.volume < theirs.volume, 'fewer_trades',
        ours.volume > theirs.volume, 'more_trades',
        theirs.high = ours.high AND theirs.low = ours.low, 'order',
        'prices') AS cause
FROM theirs
FULL JOIN ours ON theirs.open_time = ours.open_time
ORDER BY open_time
COMMENT 'The venue''s own one-minute candles beside those made of its trades, and why they differ.';
