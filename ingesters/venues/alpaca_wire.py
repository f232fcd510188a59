"""
What Alpaca's market data sends, typed.

Numbers and times are kept as the bytes that were sent; `alpaca_codec` reads them. Ids are integers of any size.
https://docs.alpaca.markets/docs/streaming-market-data
"""

from typing import TypeAlias

import msgspec

VENUE = "alpaca"

Words: TypeAlias = tuple[str, ...] | None  # an empty list may be null


class AnyTrade(msgspec.Struct, gc=False, kw_only=True):
    """A trade as the stream and as REST tell it; crypto has a taker side, stocks an exchange, conditions and a tape."""

    t: msgspec.Raw
    p: msgspec.Raw
    s: msgspec.Raw
    i: int
    x: str = ""
    c: Words = ()
    z: str = ""
    tks: str = ""


class TradeMessage(AnyTrade, tag_field="T", tag="t", gc=False, kw_only=True):
    """One match."""

    S: str


class QuoteMessage(msgspec.Struct, tag_field="T", tag="q", gc=False):
    """The best bid and ask; sizes of stocks are round lots, not shares."""

    S: str
    t: msgspec.Raw
    bp: msgspec.Raw
    bs: msgspec.Raw
    ap: msgspec.Raw
    as_: msgspec.Raw = msgspec.field(name="as")
    bx: str = ""
    ax: str = ""
    c: Words = ()
    z: str = ""


class AnyBar(msgspec.Struct, gc=False, kw_only=True):
    """A candle as the stream and as REST tell it; `t` is the start of it."""

    t: msgspec.Raw
    o: msgspec.Raw
    h: msgspec.Raw
    l: msgspec.Raw  # noqa: E741  the venue's name
    c: msgspec.Raw
    v: msgspec.Raw
    n: int | None = None
    vw: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class BarMessage(AnyBar, tag_field="T", tag="b", gc=False, kw_only=True):
    """The minute that has just ended."""

    S: str


class UpdatedBarMessage(AnyBar, tag_field="T", tag="u", gc=False, kw_only=True):
    """A minute that was told before, with the trades that came late."""

    S: str


class DailyBarMessage(AnyBar, tag_field="T", tag="d", gc=False, kw_only=True):
    """The day so far."""

    S: str


class CorrectionMessage(msgspec.Struct, tag_field="T", tag="c", gc=False):
    """A trade that was otherwise than told: `o` as it was told, `c` as it was."""

    S: str
    t: msgspec.Raw
    x: str
    oi: int
    op: msgspec.Raw
    os: msgspec.Raw
    ci: int
    cp: msgspec.Raw
    cs: msgspec.Raw
    oc: Words = ()
    cc: Words = ()
    z: str = ""


class CancelMessage(msgspec.Struct, tag_field="T", tag="x", gc=False):
    """A trade that never was; `a` is C for a cancel, E for an error."""

    S: str
    t: msgspec.Raw
    x: str
    i: int
    p: msgspec.Raw
    s: msgspec.Raw
    a: str = ""
    z: str = ""


class StatusMessage(msgspec.Struct, tag_field="T", tag="s", gc=False):
    """A halt, a resumption; codes of tapes A and B are CTA's, those of C and O are UTP's."""

    S: str
    t: msgspec.Raw
    sc: str
    sm: str = ""
    rc: str = ""
    rm: str = ""
    z: str = ""


class LuldMessage(msgspec.Struct, tag_field="T", tag="l", gc=False):
    """Limit up, limit down: the band in which a stock may trade."""

    S: str
    t: msgspec.Raw
    u: msgspec.Raw
    d: msgspec.Raw
    i: str = ""
    z: str = ""


class ImbalanceMessage(msgspec.Struct, tag_field="T", tag="i", gc=False):
    """An order imbalance; the venue tells a price and nothing else."""

    S: str
    t: msgspec.Raw
    p: msgspec.Raw
    z: str = ""


class Level(msgspec.Struct, gc=False):
    """A price and its new size; 0 takes it away."""

    p: msgspec.Raw
    s: msgspec.Raw


class BookMessage(msgspec.Struct, tag_field="T", tag="o", gc=False):
    """Levels that changed; with `r`, all there are."""

    S: str
    t: msgspec.Raw
    b: list[Level] | None
    a: list[Level] | None
    r: bool = False


class SuccessMessage(msgspec.Struct, tag_field="T", tag="success", gc=False):
    """Connected, or authenticated."""

    msg: str


class ErrorMessage(msgspec.Struct, tag_field="T", tag="error", gc=False):
    """A command was refused, or the connection is about to end."""

    code: int
    msg: str = ""


class SubscriptionMessage(msgspec.Struct, tag_field="T", tag="subscription", gc=False):
    """All that is subscribed to; feeds leave out the channels that they do not have."""

    trades: Words = ()
    quotes: Words = ()
    bars: Words = ()
    updatedBars: Words = ()  # noqa: N815  the venue's name
    dailyBars: Words = ()  # noqa: N815  the venue's name
    statuses: Words = ()
    lulds: Words = ()
    imbalances: Words = ()
    orderbooks: Words = ()


Message: TypeAlias = (
    TradeMessage
    | QuoteMessage
    | BarMessage
    | UpdatedBarMessage
    | DailyBarMessage
    | CorrectionMessage
    | CancelMessage
    | StatusMessage
    | LuldMessage
    | ImbalanceMessage
    | BookMessage
    | SuccessMessage
    | ErrorMessage
    | SubscriptionMessage
)
