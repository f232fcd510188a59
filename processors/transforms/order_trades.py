"""Order-filled events to trades: each match once, every figure exact."""

import polars as pl

from common.records import REMOVED

DIGITS = 18  # of a price behind the point, and of an amount: then the smallest price is not rounded to 0
PRICE_UNIT = pl.lit(10**DIGITS, dtype=pl.Int128)
MICRO_DIGITS = 6

TRADES = pl.Schema(
    {
        "venue": pl.String,
        "symbol": pl.String,
        "received_ns": pl.Int64,
        "trade_id": pl.String,
        "event_ns": pl.Int64,
        "price": pl.String,
        "size": pl.String,
        "notional": pl.String,
        "taker_side": pl.String,
        "source": pl.String,
        "market_id": pl.String,
        "outcome": pl.String,
        "maker": pl.String,
        "taker": pl.String,
        "transaction_hash": pl.String,
    }
)
REFUSED = pl.Schema({"index": pl.UInt32, "reason": pl.String})


def _are_whole(column: pl.Expr) -> pl.Expr:
    return column.str.contains(r"^-?[0-9]+$")


def _decimal_text(units: pl.Expr, digits: int) -> pl.Expr:
    """Return a whole number of `10**-digits` as decimal text: no exponent, no trailing zeros."""
    text = units.cast(pl.String).str.zfill(digits + 1)
    whole, rest = text.str.head(-digits), text.str.tail(digits).str.strip_chars_end("0")
    return pl.when(rest == "").then(whole).otherwise(pl.concat_str(whole, pl.lit("."), rest))


MAKER_BUYS = pl.col("maker_asset_id") == "0"  # the event's maker pays collateral
ONE_SIDE_IS_COLLATERAL = MAKER_BUYS ^ (pl.col("taker_asset_id") == "0")
TOKEN = pl.when(MAKER_BUYS).then("taker_asset_id").otherwise("maker_asset_id")
USD_TEXT = pl.when(MAKER_BUYS).then("maker_amount").otherwise("taker_amount")
SHARES_TEXT = pl.when(MAKER_BUYS).then("taker_amount").otherwise("maker_amount")

USD, SHARES = pl.col("usd"), pl.col("shares")  # millionths, as Int128
QUOTIENT, REST = pl.col("quotient"), pl.col("rest")
# Polars divides decimals at the scale of its choice and rounds as it likes; whole numbers leave no doubt.
IS_ROUNDED_UP = (REST * 2 > SHARES) | ((REST * 2 == SHARES) & (QUOTIENT % 2 == 1))

REASON = (
    pl.when(~ONE_SIDE_IS_COLLATERAL)
    .then(
        pl.lit("expected exactly one asset id 0, found ") + pl.format("{} and {}", "maker_asset_id", "taker_asset_id")
    )
    .when(~(_are_whole(USD_TEXT) & _are_whole(SHARES_TEXT)))
    .then(pl.format("expected amounts in whole millionths, found {} and {}", "maker_amount", "taker_amount"))
    .when(USD.is_null() | SHARES.is_null())
    .then(pl.format("expected amounts below 10^18 millionths, found {} and {}", "maker_amount", "taker_amount"))
    .when((USD < 0) | (SHARES < 0))
    .then(pl.format("expected no negative amount, found {} and {}", "maker_amount", "taker_amount"))
    .when(SHARES == 0)
    .then(pl.lit("expected a quantity above 0, found 0: there is no price"))
    .when((USD == 0) | (USD > SHARES))
    .then(pl.format("expected a price in (0, 1], found {} usd for {} shares (millionths)", USD, SHARES))
)


def order_trades(events: pl.DataFrame, tokens: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """
    Turn order-filled events into trades, and name the events that can be none.

    A match between one taker order and N maker orders emits N maker events and then one taker event, whose `taker` is
    the exchange contract itself: summing all of them counts every trade twice
    (https://www.mexc.com/news/245725). Trades are the maker events, because each of them is one match at the price
    that its maker had quoted; the taker event is their sum at an average price. In a MINT or MERGE the taker trades
    the complementary token at 1 - price; the match still appears once, in the maker's token at the maker's price, so
    that its shares agree with the taker side while its notional does not.
    https://github.com/Polymarket/ctf-exchange/blob/main/src/exchange/mixins/Trading.sol

    Args:
        events: OrderEvents, a column per field; amounts in millionths as text.
        tokens: (token_id, market_id, outcome), each token once. A token that is not here gets "" for both.

    Returns:
        The trades, columns `TRADES`, in the order of the events; and the refused, columns `REFUSED`: the row of the
        event and what is wrong with it. A sound taker event is in neither. What an event takes back its trade does.
    """
    judged = _judged(events)
    refused = judged.filter(pl.col("reason").is_not_null()).select(REFUSED.names())
    made = (
        judged.filter(pl.col("reason").is_null() & (pl.col("role") == "maker_fill"))
        .with_columns(quotient=USD * PRICE_UNIT // SHARES, rest=USD * PRICE_UNIT % SHARES)
        .join(tokens, left_on="token", right_on="token_id", how="left", maintain_order="left")
        .select(
            "venue",
            "received_ns",
            "event_ns",
            "maker",
            "taker",
            "transaction_hash",
            symbol="token",
            trade_id="event_id",
            price=_decimal_text(QUOTIENT + IS_ROUNDED_UP.cast(pl.Int128), DIGITS),
            size=_decimal_text(SHARES, MICRO_DIGITS),
            notional=_decimal_text(USD, MICRO_DIGITS),
            taker_side=pl.when(MAKER_BUYS).then(pl.lit("sell")).otherwise(pl.lit("buy")),
            source=pl.when(pl.col("source") == REMOVED).then(pl.lit(REMOVED)).otherwise(pl.lit("derived")),
            market_id=pl.col("market_id").fill_null(""),
            outcome=pl.col("outcome").fill_null(""),
        )
    )
    return made.select(TRADES.names()).cast(TRADES), refused.cast(REFUSED)


def _judged(events: pl.DataFrame) -> pl.DataFrame:
    return (
        events.with_row_index("index")
        .with_columns(token=TOKEN, usd=_units(USD_TEXT), shares=_units(SHARES_TEXT))
        .with_columns(reason=REASON)
    )


def _units(text: pl.Expr) -> pl.Expr:
    """Return whole numbers; null where the text is none or has more than 18 digits."""
    return text.str.extract(r"^(-?)0*([0-9]{1,18})$", 0).cast(pl.Int128, strict=False)
