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
-- twice. `mirrored_share` is the share of levels that stand in both with the same size (2 x common / all, within what is known of
-- both). From 0.99 on the feed is mirrored and bid' = bid_Y, ask' = ask_Y; below 0.5 it is not and they are added. In between it
-- cannot be told, `is_mirrored` is null and bid', ask' are empty; so they are while one of the books is not known.
-- A row of the best 20 levels knows nothing behind the 20th: `bid_known_to`, `ask_known_to`, null if known to the end of the book.
-- A maintained book is told at most five minutes after its last message. The bound on received_time only spares days: clocks that
-- differ by a day from ours are not expected.
CREATE VIEW IF NOT EXISTS prediction_books AS
SELECT
    market_id,
    second,
    is_known,
    yes_bid_prices, yes_bid_sizes, yes_ask_prices, yes_ask_sizes,
    no_bid_prices, no_bid_sizes, no_ask_prices, no_ask_sizes,
    if(empty(both_bid_floors), NULL, arrayMax(both_bid_floors)) AS both_bid_floor,
    if(empty(both_ask_floors), NULL, arrayMin(both_ask_floors)) AS both_ask_floor,
    arrayFilter(level -> both_bid_floor IS NULL OR level.1 >= both_bid_floor, arrayZip(yes_bid_prices, yes_bid_sizes)) AS bids,
    arrayFilter(level -> both_ask_floor IS NULL OR level.1 <= both_ask_floor, arrayZip(yes_ask_prices, yes_ask_sizes)) AS asks,
    arrayFilter(level -> both_bid_floor IS NULL OR level.1 >= both_bid_floor,
                arrayMap((price, size) -> (one - price, size), no_ask_prices, no_ask_sizes)) AS mirrored_bids,
    arrayFilter(level -> both_ask_floor IS NULL OR level.1 <= both_ask_floor,
                arrayMap((price, size) -> (one - price, size), no_bid_prices, no_bid_sizes)) AS mirrored_asks,
    length(bids) + length(asks) + length(mirrored_bids) + length(mirrored_asks) AS levels,
    if(is_known AND levels > 0,
       2 * (length(arrayIntersect(bids, mirrored_bids)) + length(arrayIntersect(asks, mirrored_asks))) / levels, NULL) AS mirrored_share,
    multiIf(mirrored_share >= 0.99, true, mirrored_share < 0.5, false, NULL) AS is_mirrored,
    arrayReduce('sumMap', [arrayConcat(bids.1, mirrored_bids.1)], [arrayConcat(bids.2, mirrored_bids.2)]) AS added_bids,
    arrayReduce('sumMap', [arrayConcat(asks.1, mirrored_asks.1)], [arrayConcat(asks.2, mirrored_asks.2)]) AS added_asks,
    multiIf(is_mirrored, yes_bid_prices, NOT is_mirrored, arrayReverse(added_bids.1), []) AS bid_prices,
    multiIf(is_mirrored, yes_bid_sizes, NOT is_mirrored, arrayReverse(added_bids.2), []) AS bid_sizes,
    multiIf(is_mirrored, yes_ask_prices, NOT is_mirrored, added_asks.1, []) AS ask_prices,
    multiIf(is_mirrored, yes_ask_sizes, NOT is_mirrored, added_asks.2, []) AS ask_sizes,
    if(is_mirrored, yes_bid_floor, both_bid_floor) AS bid_known_to,
    if(is_mirrored, yes_ask_floor, both_ask_floor) AS ask_known_to
FROM
(
    SELECT 1
)
COMMENT 'x';
