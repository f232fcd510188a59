-- Prediction markets: the books of the two outcome tokens of a market as one. Y is the market's first outcome, N its second,
-- whatever they are called; a token of Y and a token of N together are worth 1 USDC. Prices are USDC a token, sizes tokens.
-- `market` is Gamma's id, the condition id, the slug, or a neg-risk question's id, which means all of its markets. Ask them so:
-- SELECT * FROM prediction_stats(market = 'some-slug', since = '2026-01-01 00:00:00', until = '2026-01-02 00:00:00')
-- A row of a second tells what happened before it. Null is what cannot be known, never 0. Prices, and what is only sums and
-- differences of them, stay decimals, because the sign of an edge must not depend on a float; the rest is Float64.
-- The exchange matches a buyer and a seller of one token if p_buy >= p_sell, two buyers of Y and N if their prices make 1 or more
-- (it mints the pair), two sellers if they make 1 or less (it merges it):
-- https://github.com/Polymarket/ctf-exchange (CalculatorHelper, isCrossing)
CREATE VIEW IF NOT EXISTS prediction_markets AS
SELECT market_id, condition_id, question, slug, token_ids[1] AS yes_token, token_ids[2] AS no_token,
       outcomes[1] AS yes_outcome, outcomes[2] AS no_outcome, neg_risk, neg_risk_market_id, event_id, active, closed,
       created_time, end_time, closed_time
FROM markets
WHERE length(token_ids) = 2 AND length(outcomes) = 2
COMMENT 'Polymarket markets of two outcomes, with the tokens of each.';

-- The smallest price step of an instrument, from each change of it on; the step before the change is told with it.
CREATE VIEW IF NOT EXISTS tick_sizes AS
SELECT venue, symbol, coalesce(event_time, received_time) AS from_time, toDecimal128OrNull(status, 18) AS tick_size,
       toDecimal128OrNull(extract(detail, '^was ([0-9.]+)$'), 18) AS tick_size_before
FROM statuses
WHERE kind = 'tick_size'
COMMENT 'Changes of the smallest price step: since when, to what, and what it was.';

-- Both books at each second, and both as one, in prices of Y: bid'(p) = bid_Y(p) + ask_N(1 - p), ask'(p) = ask_Y(p) + bid_N(1 - p).
-- A venue may tell every order in both tokens. Then the books are the mirrors of each other, and the sum would count each order
-- twice: so it was in each of 263 recorded pairs of Polymarket's books of one instant (2025 and 2026). `mirrored_share` is the
-- share of levels that stand in both with the same size (2 x common / all, within what is known of both). From 0.99 on the feed is
-- mirrored and bid' = bid_Y, ask' = ask_Y; below 0.5 it is not and they are added. In between it cannot be told, `is_mirrored` is
-- null and bid', ask' are empty; so they are while one of the books is not known.
-- A row of the best 20 levels knows nothing behind the 20th: `bid_known_to`, `ask_known_to`, null if known to the end of the book.
-- A maintained book is told at most five minutes after its last message.
CREATE VIEW IF NOT EXISTS prediction_books AS
WITH
    toDecimal128(1, 18) AS one,
    tokens AS
    (
        SELECT market_id, yes_token, tupleElement(token, 1) AS symbol, tupleElement(token, 2) AS is_yes
        FROM prediction_markets
        ARRAY JOIN [(yes_token, true), (no_token, false)] AS token
        WHERE {market:String} != '' AND {market:String} IN (market_id, condition_id, slug, neg_risk_market_id)
    ),
    told AS
    (
        SELECT
            symbol, event_time, bid_prices, bid_sizes, ask_prices, ask_sizes,
            if(depth = 20 AND length(bid_prices) = 20, bid_prices[-1], NULL) AS bid_known_to,
            if(depth = 20 AND length(ask_prices) = 20, ask_prices[-1], NULL) AS ask_known_to
        FROM book_snapshots
        WHERE venue = 'polymarket_clob' AND source = 'maintained' AND symbol IN (SELECT symbol FROM tokens)
          AND event_time >= {since:DateTime64(9, 'UTC')} AND event_time < {until:DateTime64(9, 'UTC')}
          AND toUnixTimestamp64Nano(assumeNotNull(event_time)) % 1000000000 = 0
        ORDER BY depth != 20 DESC
        LIMIT 1 BY symbol, event_time
    ),
    pairs AS
    (
        SELECT
            tokens.market_id AS market_id,
            assumeNotNull(told.event_time) AS second,
            any(tokens.yes_token) AS yes_token,
            countIf(is_yes) = 1 AS is_yes_known,
            countIf(NOT is_yes) = 1 AS is_no_known,
            maxIf(told.bid_known_to, is_yes) AS yes_bid_known_to,
            minIf(told.ask_known_to, is_yes) AS yes_ask_known_to,
            max(if(is_yes, told.bid_known_to, one - told.ask_known_to)) AS both_bid_known_to,
            min(if(is_yes, told.ask_known_to, one - told.bid_known_to)) AS both_ask_known_to,
            anyIf(told.bid_prices, is_yes) AS yes_bid_prices,
            anyIf(told.bid_sizes, is_yes) AS yes_bid_sizes,
            anyIf(told.ask_prices, is_yes) AS yes_ask_prices,
            anyIf(told.ask_sizes, is_yes) AS yes_ask_sizes,
            anyIf(told.bid_prices, NOT is_yes) AS no_bid_prices,
            anyIf(told.bid_sizes, NOT is_yes) AS no_bid_sizes,
            anyIf(told.ask_prices, NOT is_yes) AS no_ask_prices,
            anyIf(told.ask_sizes, NOT is_yes) AS no_ask_sizes
        FROM told
        INNER JOIN tokens ON told.symbol = tokens.symbol
        GROUP BY market_id, second
    ),
    in_both AS
    (
        SELECT
            *,
            arrayFilter(level -> both_bid_known_to IS NULL OR level.1 >= both_bid_known_to,
                        arrayZip(yes_bid_prices, yes_bid_sizes)) AS yes_bids,
            arrayFilter(level -> both_ask_known_to IS NULL OR level.1 <= both_ask_known_to,
                        arrayZip(yes_ask_prices, yes_ask_sizes)) AS yes_asks,
            arrayFilter(level -> both_bid_known_to IS NULL OR level.1 >= both_bid_known_to,
                        arrayMap((price, size) -> (one - price, size), no_ask_prices, no_ask_sizes)) AS no_asks_as_bids,
            arrayFilter(level -> both_ask_known_to IS NULL OR level.1 <= both_ask_known_to,
                        arrayMap((price, size) -> (one - price, size), no_bid_prices, no_bid_sizes)) AS no_bids_as_asks,
            length(yes_bids) + length(yes_asks) + length(no_asks_as_bids) + length(no_bids_as_asks) AS levels,
            length(arrayIntersect(yes_bids, no_asks_as_bids)) + length(arrayIntersect(yes_asks, no_bids_as_asks)) AS common_levels,
            if(is_yes_known AND is_no_known, 2 * common_levels / nullIf(levels, 0), NULL) AS mirrored_share,
            multiIf(mirrored_share >= 0.99, true, mirrored_share < 0.5, false, NULL) AS is_mirrored,
            arrayConcat(yes_bids, no_asks_as_bids) AS all_bids,
            arrayConcat(yes_asks, no_bids_as_asks) AS all_asks,
            arrayReduce('sumMap', [all_bids.1], [all_bids.2]) AS added_bids,
            arrayReduce('sumMap', [all_asks.1], [all_asks.2]) AS added_asks
        FROM pairs
    )
SELECT
    market_id,
    second,
    yes_token,
    is_yes_known,
    is_no_known,
    mirrored_share,
    is_mirrored,
    multiIf(is_mirrored, yes_bid_prices, NOT is_mirrored, arrayReverse(added_bids.1), []) AS bid_prices,
    multiIf(is_mirrored, yes_bid_sizes, NOT is_mirrored, arrayReverse(added_bids.2), []) AS bid_sizes,
    multiIf(is_mirrored, yes_ask_prices, NOT is_mirrored, added_asks.1, []) AS ask_prices,
    multiIf(is_mirrored, yes_ask_sizes, NOT is_mirrored, added_asks.2, []) AS ask_sizes,
    multiIf(is_mirrored, yes_bid_known_to, NOT is_mirrored, both_bid_known_to, NULL) AS bid_known_to,
    multiIf(is_mirrored, yes_ask_known_to, NOT is_mirrored, both_ask_known_to, NULL) AS ask_known_to,
    yes_bid_prices,
    yes_bid_sizes,
    yes_ask_prices,
    yes_ask_sizes,
    no_bid_prices,
    no_bid_sizes,
    no_ask_prices,
    no_ask_sizes
FROM in_both
ORDER BY market_id, second
COMMENT 'The books of both outcomes at each second, and both as one in prices of the first outcome.';

-- What the books of a market say at each second.
-- bid, ask            max(bid_Y, 1 - ask_N), min(ask_Y, 1 - bid_N)                                 USDC
-- mid, spread         (bid + ask) / 2, ask - bid                                                   USDC
-- bounded_spread      spread / min(mid, 1 - mid)                                                   1
-- logit_mid           ln(mid / (1 - mid))                                                          1
-- parity_residual     mid_Y + mid_N - 1, of each token's own book                                  USDC
-- merge_edge          1 - (ask_Y + ask_N): buy both and merge, for so many of the pair             USDC a pair, before fees
-- mint_edge           bid_Y + bid_N - 1: mint the pair and sell both                               USDC a pair, before fees
-- is_crossed          bid >= ask: orders stand that the exchange would match, by the rule above
-- bid_depth_*c        sum of q of bids with p >= mid - * cents; ask_depth: p <= mid + * cents      tokens
-- bid_usd_*c, bid_usd sum of p q: what the bidders have put up                                     USDC
-- ask_usd_*c, ask_usd sum of (1 - p) q: what the sellers of Y can lose, as buyers of N at 1 - p    USDC
-- tick_size           the smallest price step of Y then; null while no change of it tells          USDC
-- A band is null where a book is not known so far, all of bid, ask and what is made of them while one of the books is not known.
-- Bands are in cents because basis points of a price near 0 are less than a tick.
CREATE VIEW IF NOT EXISTS prediction_stats AS
WITH
    toDecimal128(1, 18) AS one,
    [toDecimal128('0.01', 18), toDecimal128('0.02', 18), toDecimal128('0.05', 18), toDecimal128('0.1', 18)] AS bands,
    tops AS
    (
        SELECT
            *,
            if(empty(yes_bid_prices), NULL, yes_bid_prices[1]) AS yes_bid,
            if(empty(yes_bid_prices), NULL, yes_bid_sizes[1]) AS yes_bid_size,
            if(empty(yes_ask_prices), NULL, yes_ask_prices[1]) AS yes_ask,
            if(empty(yes_ask_prices), NULL, yes_ask_sizes[1]) AS yes_ask_size,
            if(empty(no_bid_prices), NULL, no_bid_prices[1]) AS no_bid,
            if(empty(no_bid_prices), NULL, no_bid_sizes[1]) AS no_bid_size,
            if(empty(no_ask_prices), NULL, no_ask_prices[1]) AS no_ask,
            if(empty(no_ask_prices), NULL, no_ask_sizes[1]) AS no_ask_size
        FROM prediction_books(market = {market:String}, since = {since:DateTime64(9, 'UTC')}, until = {until:DateTime64(9, 'UTC')})
    ),
    best AS
    (
        SELECT
            *,
            if(is_yes_known AND is_no_known, coalesce(greatest(yes_bid, one - no_ask), yes_bid, one - no_ask), NULL) AS bid,
            if(is_yes_known AND is_no_known, coalesce(least(yes_ask, one - no_bid), yes_ask, one - no_bid), NULL) AS ask
        FROM tops
    ),
    centred AS
    (
        SELECT *, toFloat64((bid + ask) / 2) AS mid, if(is_mirrored IS NULL, NULL, (bid + ask) / 2) AS middle
        FROM best
    ),
    books AS
    (
        SELECT
            *,
            arrayMap(band -> if(coalesce(bid_known_to, -one) <= middle - band, arraySum((p, q) ->
                if(p >= middle - band, toFloat64(q), 0), bid_prices, bid_sizes), NULL), bands) AS bid_depths,
            arrayMap(band -> if(coalesce(ask_known_to, one + one) >= middle + band, arraySum((p, q) ->
                if(p <= middle + band, toFloat64(q), 0), ask_prices, ask_sizes), NULL), bands) AS ask_depths,
            arrayMap(band -> if(coalesce(bid_known_to, -one) <= middle - band, arraySum((p, q) ->
                if(p >= middle - band, toFloat64(p) * toFloat64(q), 0), bid_prices, bid_sizes), NULL), bands) AS bid_dollars,
            arrayMap(band -> if(coalesce(ask_known_to, one + one) >= middle + band, arraySum((p, q) ->
                if(p <= middle + band, toFloat64(one - p) * toFloat64(q), 0), ask_prices, ask_sizes), NULL), bands) AS ask_dollars
        FROM centred
    )
SELECT
    books.market_id AS market_id,
    books.second AS second,
    is_yes_known,
    is_no_known,
    mirrored_share,
    is_mirrored,
    yes_bid,
    yes_bid_size,
    yes_ask,
    yes_ask_size,
    no_bid,
    no_bid_size,
    no_ask,
    no_ask_size,
    bid,
    if(bid = bid_prices[1], bid_sizes[1], NULL) AS bid_size,
    ask,
    if(ask = ask_prices[1], ask_sizes[1], NULL) AS ask_size,
    mid,
    ask - bid AS spread,
    toFloat64(spread) / nullIf(least(mid, 1 - mid), 0) AS bounded_spread,
    if(mid > 0 AND mid < 1, log(mid / (1 - mid)), NULL) AS logit_mid,
    (yes_bid + yes_ask + no_bid + no_ask) / 2 - one AS parity_residual,
    one - yes_ask - no_ask AS merge_edge,
    if(merge_edge IS NULL, NULL, least(yes_ask_size, no_ask_size)) AS merge_size,
    yes_bid + no_bid - one AS mint_edge,
    if(mint_edge IS NULL, NULL, least(yes_bid_size, no_bid_size)) AS mint_size,
    bid >= ask AS is_crossed,
    bid_depths[1] AS bid_depth_1c,
    bid_depths[2] AS bid_depth_2c,
    bid_depths[3] AS bid_depth_5c,
    bid_depths[4] AS bid_depth_10c,
    ask_depths[1] AS ask_depth_1c,
    ask_depths[2] AS ask_depth_2c,
    ask_depths[3] AS ask_depth_5c,
    ask_depths[4] AS ask_depth_10c,
    bid_dollars[1] AS bid_usd_1c,
    bid_dollars[2] AS bid_usd_2c,
    bid_dollars[3] AS bid_usd_5c,
    bid_dollars[4] AS bid_usd_10c,
    ask_dollars[1] AS ask_usd_1c,
    ask_dollars[2] AS ask_usd_2c,
    ask_dollars[3] AS ask_usd_5c,
    ask_dollars[4] AS ask_usd_10c,
    if(is_mirrored IS NOT NULL AND bid_known_to IS NULL,
       arraySum((p, q) -> toFloat64(p) * toFloat64(q), bid_prices, bid_sizes), NULL) AS bid_usd,
    if(is_mirrored IS NOT NULL AND ask_known_to IS NULL,
       arraySum((p, q) -> toFloat64(one - p) * toFloat64(q), ask_prices, ask_sizes), NULL) AS ask_usd,
    coalesce(earlier.tick_size, later.tick_size_before) AS tick_size
FROM books
ASOF LEFT JOIN (SELECT * FROM tick_sizes WHERE venue = 'polymarket_clob') AS earlier
    ON books.yes_token = earlier.symbol AND books.second > earlier.from_time
ASOF LEFT JOIN (SELECT * FROM tick_sizes WHERE venue = 'polymarket_clob') AS later
    ON books.yes_token = later.symbol AND books.second <= later.from_time
ORDER BY market_id, second
COMMENT 'What the two books of a prediction market say at each second: best of both, parity, edges, bands in cents, dollars.';

-- How much the log-odds of a market move: between samples of the logit mid that are `step_s` seconds apart, no further and no less,
-- sqrt(sum (l - l before)^2 / (n step_s) * 3600) of an hour: per square root of an hour. A longer step is less of a bounce.
CREATE VIEW IF NOT EXISTS prediction_volatility AS
SELECT market_id, toStartOfHour(second) AS hour, count() AS changes,
       sqrt(sum(change * change) / (changes * {step_s:UInt32}) * 3600) AS logit_volatility
FROM
(
    SELECT market_id, second, logit_mid - lagInFrame(logit_mid, 1, NULL) OVER in_time AS change,
           toUnixTimestamp64Nano(second) - lagInFrame(toNullable(toUnixTimestamp64Nano(second)), 1, NULL) OVER in_time AS apart_ns
    FROM prediction_stats(market = {market:String}, since = {since:DateTime64(9, 'UTC')}, until = {until:DateTime64(9, 'UTC')})
    WHERE toUnixTimestamp64Nano(second) % ({step_s:UInt32} * 1000000000) = 0
    WINDOW in_time AS (PARTITION BY market_id ORDER BY second)
)
WHERE change IS NOT NULL AND apart_ns = {step_s:UInt32} * 1000000000
GROUP BY market_id, hour
ORDER BY market_id, hour
COMMENT 'Realised volatility of the log-odds by hour, per square root of an hour.';

-- Of the outcomes of a neg-risk question exactly one comes true. One Y of each is worth 1 USDC, one sold of each costs 1 at most.
-- sum_bid, sum_ask    over the question's markets that were open then; a book without bids adds nothing to sum_bid
-- overround           sum of mids - 1                                                              USDC
-- buy_all_edge        1 - sum_ask: one of each, for so many baskets (buy_all_size)                 USDC a basket, before fees
-- sell_all_edge       sum_bid - 1: the same as one N of each, bought at 1 - bid                    USDC a basket, before fees
-- Null unless both books of every market are known and have the ask, or the mid, that is needed; and where there is one market only.
-- A market that was closed is no part of it from closed_time on. An outcome that the venue lists later is no part of it before:
-- then buying all is no certainty. The markets are those of `markets`: all that Gamma has told.
CREATE VIEW IF NOT EXISTS neg_risk_baskets AS
WITH (
    SELECT groupArray((created_time, closed_time, coalesce(closed, false), market_id))
    FROM prediction_markets
    WHERE {question:String} != '' AND neg_risk_market_id = {question:String}
) AS members
SELECT
    second,
    arrayCount(member -> coalesce(member.1 <= second, true) AND coalesce(member.2 > second, NOT member.3), members) AS open_markets,
    arrayExists(member -> member.2 IS NULL AND member.3, members) AS is_unclear,
    countIf(is_open AND is_yes_known AND is_no_known) AS known_markets,
    NOT is_unclear AND open_markets > 1 AND known_markets = open_markets AS is_whole,
    if(is_whole, sumIf(bid, is_open), NULL) AS sum_bid,
    if(is_whole AND countIf(is_open AND ask IS NULL) = 0, sumIf(ask, is_open), NULL) AS sum_ask,
    if(is_whole AND countIf(is_open AND mid IS NULL) = 0, sumIf(mid, is_open) - 1, NULL) AS overround,
    toDecimal128(1, 18) - sum_ask AS buy_all_edge,
    if(sum_ask IS NOT NULL AND countIf(is_open AND ask_size IS NULL) = 0, minIf(ask_size, is_open), NULL) AS buy_all_size,
    sum_bid - toDecimal128(1, 18) AS sell_all_edge,
    if(sum_bid IS NOT NULL AND countIf(is_open AND bid IS NOT NULL AND bid_size IS NULL) = 0,
       minIf(bid_size, is_open), NULL) AS sell_all_size
FROM
(
    SELECT *, arrayExists(member -> member.4 = market_id AND coalesce(member.1 <= second, true)
                                    AND coalesce(member.2 > second, NOT member.3), members) AS is_open
    FROM prediction_stats(market = {question:String}, since = {since:DateTime64(9, 'UTC')}, until = {until:DateTime64(9, 'UTC')})
)
GROUP BY second
ORDER BY second
COMMENT 'The outcomes of a neg-risk question as one basket at each second: sums, overround, and what buying or selling all earns.';

-- Trades of both tokens in prices of Y: N bought at p is Y sold at 1 - p. The venue tells a match once, in one token.
-- yes_price           p of a trade in Y, 1 - p in N                                                USDC
-- paid_usd            p q of the token that was traded                                             USDC
-- at_risk_usd         what the buyer, and what the seller, can lose: paid_usd + (1 - p) q = q      USDC: it is `size`
-- mid_before          of both books at the last second before the trade, no older than a second    USDC
-- effective_spread    2 D (yes_price - mid_before), D = 1 if Y was bought, -1 if sold              USDC
CREATE VIEW IF NOT EXISTS prediction_trades AS
SELECT
    told.market_id AS market_id,
    told.event_time AS event_time,
    told.trade_id AS trade_id,
    told.is_yes AS is_yes,
    told.yes_price AS yes_price,
    told.size AS size,
    told.yes_side AS yes_side,
    told.notional AS paid_usd,
    if(told.event_time - INTERVAL 1 SECOND <= stats.second, stats.mid, NULL) AS mid_before,
    multiIf(told.yes_side = 'buy', 2, told.yes_side = 'sell', -2, NULL)
        * (toFloat64(told.yes_price) - mid_before) AS effective_spread
FROM
(
    SELECT
        tokens.market_id AS market_id, event_time, trade_id, is_yes, size, notional, offset,
        if(is_yes, price, toDecimal128(1, 18) - price) AS yes_price,
        multiIf(is_yes, taker_side, taker_side = 'buy', 'sell', taker_side = 'sell', 'buy', taker_side) AS yes_side
    FROM trades_now
    INNER JOIN
    (
        SELECT market_id, tupleElement(token, 1) AS symbol, tupleElement(token, 2) AS is_yes
        FROM prediction_markets
        ARRAY JOIN [(yes_token, true), (no_token, false)] AS token
        WHERE {market:String} != '' AND {market:String} IN (market_id, condition_id, slug, neg_risk_market_id)
    ) AS tokens ON trades_now.symbol = tokens.symbol
    WHERE venue = 'polymarket_clob'
      AND event_time >= {since:DateTime64(9, 'UTC')} AND event_time < {until:DateTime64(9, 'UTC')}
) AS told
ASOF LEFT JOIN
(
    SELECT market_id, second, mid
    FROM prediction_stats(market = {market:String}, since = {since:DateTime64(9, 'UTC')}, until = {until:DateTime64(9, 'UTC')})
) AS stats ON told.market_id = stats.market_id AND told.event_time >= stats.second
ORDER BY market_id, event_time, told.offset
COMMENT 'Trades of both tokens of a market in prices of its first outcome.';
