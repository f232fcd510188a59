-- What columns of views and of candles in the making are; a view that takes parameters has none to speak of.
ALTER TABLE bars
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN interval 'the venue\'s spelling, e.g. 1m',
    COMMENT COLUMN open_time 'start of the bar, inclusive',
    COMMENT COLUMN open 'quote currency',
    COMMENT COLUMN high 'quote currency',
    COMMENT COLUMN low 'quote currency',
    COMMENT COLUMN close 'quote currency',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN quote_volume 'quote currency, null if not told',
    COMMENT COLUMN vwap 'quote currency, null if not told',
    COMMENT COLUMN trades 'number of trades, null if not told',
    COMMENT COLUMN is_closed 'whether the venue calls it final',
    COMMENT COLUMN event_time 'when the venue says it happened, null if it does not',
    COMMENT COLUMN received_time 'when the bytes reached us';

ALTER TABLE bars_1d
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN interval 'length of the candle',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN trades 'number of trades',
    COMMENT COLUMN is_closed 'its time is over',
    COMMENT COLUMN vwap 'notional by volume, null without volume',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed';

ALTER TABLE bars_1h
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN interval 'length of the candle',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN trades 'number of trades',
    COMMENT COLUMN is_closed 'its time is over',
    COMMENT COLUMN vwap 'notional by volume, null without volume',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed';

ALTER TABLE bars_1m
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN interval 'length of the candle',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN trades 'number of trades',
    COMMENT COLUMN is_closed 'its time is over',
    COMMENT COLUMN vwap 'notional by volume, null without volume',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed';

ALTER TABLE bars_1m_now
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed',
    COMMENT COLUMN trades 'number of trades';

ALTER TABLE bars_1m_state
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed',
    COMMENT COLUMN trades 'number of trades';

ALTER TABLE bars_1s
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN interval 'length of the candle',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN trades 'number of trades',
    COMMENT COLUMN is_closed 'its time is over',
    COMMENT COLUMN vwap 'notional by volume, null without volume',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed';

ALTER TABLE bars_1s_now
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed',
    COMMENT COLUMN trades 'number of trades';

ALTER TABLE bars_1s_state
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN notional 'quote currency',
    COMMENT COLUMN buy_volume 'base currency, of buyers who crossed',
    COMMENT COLUMN sell_volume 'base currency, of sellers who crossed',
    COMMENT COLUMN trades 'number of trades';

ALTER TABLE corrected_trades
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN trade_id 'the venue\'s id',
    COMMENT COLUMN corrected_time 'when the trade happened that was taken back or changed later';

ALTER TABLE markets
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN market_id 'Gamma\'s id',
    COMMENT COLUMN condition_id 'id of the condition on chain',
    COMMENT COLUMN question 'what is bet on',
    COMMENT COLUMN slug 'name in the address',
    COMMENT COLUMN outcomes 'names of the outcomes, in the order of token_ids',
    COMMENT COLUMN token_ids 'outcome tokens (asset ids), 78-digit numbers as text',
    COMMENT COLUMN neg_risk 'settles on the neg-risk exchange',
    COMMENT COLUMN neg_risk_market_id 'the question of which exactly one outcome comes true, empty if it is none',
    COMMENT COLUMN event_id 'Gamma\'s event that it stands in, empty if it is in none',
    COMMENT COLUMN active 'as Gamma tells it',
    COMMENT COLUMN closed 'as Gamma tells it',
    COMMENT COLUMN created_time 'when Gamma created it',
    COMMENT COLUMN end_time 'when it is to end',
    COMMENT COLUMN closed_time 'when it closed',
    COMMENT COLUMN volume 'traded so far, USDC, null where Gamma has no figure',
    COMMENT COLUMN liquidity 'USDC in the book, null where Gamma has no figure',
    COMMENT COLUMN updated_time 'Gamma\'s last change, null if not told',
    COMMENT COLUMN received_time 'when the bytes reached us';

ALTER TABLE prediction_markets
    COMMENT COLUMN market_id 'Gamma\'s id',
    COMMENT COLUMN condition_id 'id of the condition on chain',
    COMMENT COLUMN question 'what is bet on',
    COMMENT COLUMN slug 'name in the address',
    COMMENT COLUMN yes_token 'token of the first outcome',
    COMMENT COLUMN no_token 'token of the second outcome',
    COMMENT COLUMN yes_outcome 'name of the first outcome',
    COMMENT COLUMN no_outcome 'name of the second outcome',
    COMMENT COLUMN neg_risk 'settles on the neg-risk exchange',
    COMMENT COLUMN neg_risk_market_id 'the question of which exactly one outcome comes true, empty if it is none',
    COMMENT COLUMN event_id 'Gamma\'s event that it stands in, empty if it is in none',
    COMMENT COLUMN active 'as Gamma tells it',
    COMMENT COLUMN closed 'as Gamma tells it',
    COMMENT COLUMN created_time 'when Gamma created it',
    COMMENT COLUMN end_time 'when it is to end',
    COMMENT COLUMN closed_time 'when it closed';

ALTER TABLE tick_sizes
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN from_time 'since when',
    COMMENT COLUMN tick_size 'smallest price step, null if not told',
    COMMENT COLUMN tick_size_before 'until then, null if not told';

ALTER TABLE trades_now
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN trade_id 'the venue\'s id, as corrected',
    COMMENT COLUMN event_time 'when the venue says it happened',
    COMMENT COLUMN received_time 'when the bytes reached us',
    COMMENT COLUMN price 'quote currency, as corrected',
    COMMENT COLUMN size 'base currency, as corrected',
    COMMENT COLUMN notional 'price x size, quote currency',
    COMMENT COLUMN taker_side 'buy, sell or unknown',
    COMMENT COLUMN source 'live, backfill or derived',
    COMMENT COLUMN market_id 'Polymarket\'s market, empty elsewhere and until it is known',
    COMMENT COLUMN outcome 'Polymarket\'s outcome, empty elsewhere and until it is known',
    COMMENT COLUMN shard 'shard of the stream that held the record',
    COMMENT COLUMN offset 'running number of the record in its shard: dense, so a hole is visible';

ALTER TABLE v_book_1s
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN second 'the instant; what happened before it is in',
    COMMENT COLUMN best_bid 'quote currency',
    COMMENT COLUMN best_ask 'quote currency',
    COMMENT COLUMN mid 'quote currency',
    COMMENT COLUMN spread_bps 'of the mid',
    COMMENT COLUMN imbalance 'of the best sizes, -1 to 1',
    COMMENT COLUMN bid_depth_10bps 'base currency within 10 bps of the mid, null where it is not known',
    COMMENT COLUMN ask_depth_10bps 'base currency within 10 bps of the mid, null where it is not known';

ALTER TABLE v_candles_1m
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN open_time 'start of the candle, inclusive',
    COMMENT COLUMN open 'price of the earliest trade',
    COMMENT COLUMN high 'highest price',
    COMMENT COLUMN low 'lowest price',
    COMMENT COLUMN close 'price of the latest trade',
    COMMENT COLUMN volume 'base currency',
    COMMENT COLUMN vwap 'notional by volume, null without volume',
    COMMENT COLUMN trades 'number of trades';

ALTER TABLE v_quality_hourly
    COMMENT COLUMN hour 'start of the hour',
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN kind 'as in feed_events',
    COMMENT COLUMN events 'how many',
    COMMENT COLUMN symbols 'how many different ones',
    COMMENT COLUMN concerned_s 'length of all stretches together, seconds';

ALTER TABLE v_trades
    COMMENT COLUMN venue 'venue, lower case',
    COMMENT COLUMN symbol 'the venue\'s own spelling',
    COMMENT COLUMN trade_id 'the venue\'s id',
    COMMENT COLUMN event_time 'when the venue says it happened',
    COMMENT COLUMN received_time 'when the bytes reached us',
    COMMENT COLUMN price 'quote currency',
    COMMENT COLUMN size 'base currency',
    COMMENT COLUMN notional 'price x size, quote currency',
    COMMENT COLUMN taker_side 'buy, sell or unknown',
    COMMENT COLUMN source 'live, backfill or derived',
    COMMENT COLUMN market_id 'Polymarket\'s market, empty elsewhere and until it is known',
    COMMENT COLUMN outcome 'Polymarket\'s outcome, empty elsewhere and until it is known';
