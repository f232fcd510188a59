-- How a book recovers from large trades, by two measures: `depth` (base currency on the hit side within `bps` of the mid, one of the
-- bands of `book_stats`) and `spread` (bps). Trades of one side at one time of the venue are parts of one order. It is large when it
-- is at least as large as what stood at the best price that it hit (Biais, Hillion and Spatt, Journal of Finance 50, 1995; Large,
-- Journal of Financial Markets 10, 2007).
-- `before` is of the row up to the trade, no older than a second; `after` the least depth, or the widest spread, in the half second
-- behind it, in which venues tell the book. Resilience at t = (measure at t - after) / (before - after): 1 when all is back. The
-- half-life is from `after` to the first row within a minute with half of it back, in seconds.
-- Null where nothing was lost, a gap lies between, rows are missing or the band is not known to its edge.
CREATE VIEW IF NOT EXISTS trade_resilience AS
WITH
    book AS
    (
        SELECT
            1 AS one,
            event_time,
            toUnixTimestamp(event_time) AS second,
            toFloat64(best_bid_size) AS bid_size,
            toFloat64(best_ask_size) AS ask_size,
            indexOf([1, 2, 5, 10, 25, 50, 100, 200, 500], {bps:UInt16}) AS band,
            [bid_depth_1bps, bid_depth_2bps, bid_depth_5bps, bid_depth_10bps, bid_depth_25bps, bid_depth_50bps, bid_depth_100bps,
             bid_depth_200bps, bid_depth_500bps][band] AS bid_depth,
            [ask_depth_1bps, ask_depth_2bps, ask_depth_5bps, ask_depth_10bps, ask_depth_25bps, ask_depth_50bps, ask_depth_100bps,
             ask_depth_200bps, ask_depth_500bps][band] AS ask_depth,
            spread_bps,
            ofi_1 IS NULL AS is_behind_gap
        FROM book_stats
        WHERE venue = {venue:String} AND symbol = {symbol:String} AND source = 'maintained'
          AND event_time >= {since:DateTime64(9, 'UTC')} - INTERVAL 1 SECOND
          AND event_time < {until:DateTime64(9, 'UTC')} + INTERVAL 62 SECOND
    ),
    orders AS
    (
        SELECT
            1 AS one,
            event_time,
            if(taker_side = 'buy', 1, -1) AS direction,
            sum(toFloat64(trades_now.size)) AS size,
            sum(toFloat64(trades_now.price) * toFloat64(trades_now.size)) / size AS price
        FROM trades_now
        WHERE venue = {venue:String} AND symbol = {symbol:String} AND taker_side IN ('buy', 'sell')
          AND event_time >= {since:DateTime64(9, 'UTC')} AND event_time < {until:DateTime64(9, 'UTC')}
        GROUP BY event_time, direction
    ),
    large AS
    (
        SELECT
            orders.event_time AS event_time,
            direction,
            price,
            size,
            if(direction = 1, ask_size, bid_size) AS best_size,
            if(direction = 1, ask_depth, bid_depth) AS depth_before,
            spread_bps AS spread_before
        FROM orders
        ASOF INNER JOIN book ON orders.one = book.one AND orders.event_time >= book.event_time
        WHERE orders.event_time <= book.event_time + INTERVAL 1 SECOND AND size >= best_size
    ),
    followed AS
    (
        SELECT
            large.event_time AS event_time,
            direction,
            price,
            size,
            best_size,
            depth_before,
            spread_before,
            arraySort(row -> row.1, groupArrayIf((
                book.event_time,
                if(direction = 1, ask_depth, bid_depth),
                spread_bps,
                is_behind_gap
            ), book.event_time > large.event_time)) AS told
        FROM (SELECT *, toUnixTimestamp(event_time) + arrayJoin(range(62)) AS second FROM large) AS large
        LEFT JOIN book ON large.second = book.second
        GROUP BY event_time, direction, price, size, best_size, depth_before, spread_before
    )
SELECT
    event_time,
    direction,
    price,
    size,
    best_size,
    measure,
    abs(had) AS before,
    abs(least) AS after,
    (value_1s - least) / lost AS resilience_1s,
    (value_10s - least) / lost AS resilience_10s,
    (value_60s - least) / lost AS resilience_60s,
    if(half_back > event_time, dateDiff('nanosecond', fell, half_back) / 1e9, NULL) AS half_life_s
FROM
(
    SELECT
        event_time, direction, price, size, best_size, measure,
        -- A fall of the depth and a rise of the spread are one thing, what was lost: the spread counts with the other sign.
        if(measure = 'depth', depth_before, -spread_before) AS had,
        arrayMap(row -> (row.1, if(measure = 'depth', row.2, -row.3)), told) AS rows,
        arrayFirstIndex(row -> row.4, told) AS gap,
        if(gap = 0, rows, arraySlice(rows, 1, gap - 1)) AS known,
        arrayFilter(row -> row.1 <= event_time + INTERVAL 500 MILLISECOND, known) AS dip,
        if(empty(dip) OR arrayExists(row -> row.2 IS NULL, dip), NULL, arrayReduce('min', arrayMap(row -> row.2, dip))) AS least,
        if(had > least, had - least, NULL) AS lost,
        arrayFirst(row -> ifNull(row.2 = least, false), dip).1 AS fell,
        known[-1].1 AS until_time,
        if(until_time >= event_time + INTERVAL 1 SECOND, arrayLast(row -> row.1 <= event_time + INTERVAL 1 SECOND, known).2, NULL) AS value_1s,
        if(until_time >= event_time + INTERVAL 10 SECOND, arrayLast(row -> row.1 <= event_time + INTERVAL 10 SECOND, known).2, NULL) AS value_10s,
        if(until_time >= event_time + INTERVAL 60 SECOND, arrayLast(row -> row.1 <= event_time + INTERVAL 60 SECOND, known).2, NULL) AS value_60s,
        arrayFirst(row -> row.1 > fell AND row.1 <= event_time + INTERVAL 60 SECOND AND ifNull(row.2 >= least + lost / 2, false), known).1 AS half_back
    FROM followed
    ARRAY JOIN ['depth', 'spread'] AS measure
)
ORDER BY event_time, direction, measure
COMMENT 'How depth and spread came back after large trades; null where that cannot be told.';
