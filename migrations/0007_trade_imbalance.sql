-- Buyers against sellers who crossed, by volume, -1 to 1: in each second with a trade, and in the 10 and 60 seconds that end
-- with it. Null where no trade told its side; of a stretch that began before `since` only what lies behind it counts.
CREATE VIEW IF NOT EXISTS trade_imbalance AS
SELECT
    open_time,
    buy_volume,
    sell_volume,
    toFloat64(buy_volume - sell_volume) / nullIf(toFloat64(buy_volume + sell_volume), 0) AS imbalance,
    toFloat64(sum(buy_volume - sell_volume) OVER last_10s) / nullIf(toFloat64(sum(buy_volume + sell_volume) OVER last_10s), 0) AS imbalance_10s,
    toFloat64(sum(buy_volume - sell_volume) OVER last_60s) / nullIf(toFloat64(sum(buy_volume + sell_volume) OVER last_60s), 0) AS imbalance_60s
FROM bars_1s
WHERE venue = {venue:String} AND symbol = {symbol:String}
  AND open_time >= {since:DateTime64(9, 'UTC')} AND open_time < {until:DateTime64(9, 'UTC')}
WINDOW
    last_10s AS (ORDER BY toUnixTimestamp(open_time) RANGE BETWEEN 9 PRECEDING AND CURRENT ROW),
    last_60s AS (ORDER BY toUnixTimestamp(open_time) RANGE BETWEEN 59 PRECEDING AND CURRENT ROW)
ORDER BY open_time
COMMENT 'Trade imbalance by volume, second by second.';
