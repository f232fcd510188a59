"""One settled transaction: the events that the exchange contract emits, as the subgraph stores them."""

import random
from typing import NamedTuple

from simulator.demo.market_text import MILLS, InventedMarket
from simulator.fills import COLLATERAL, EXCHANGES, Fill

BUY, SELL = True, False
FAN_OUT = ((1, 54), (2, 20), (3, 13), (4, 8), (5, 5))
EQUAL_FILLS_SHARE = 0.06
MINT_OR_MERGE_SHARE = 0.3
FEE_BPS = 1000
BPS = 10_000


class Trader:
    """Who trades, and how much."""

    def __init__(self, chance: random.Random, wallets: int) -> None:
        self.chance = chance
        self._wallets = [f"0x{chance.getrandbits(160):040x}" for _ in range(wallets)]

    def wallet(self) -> str:
        """Return somebody; a few trade much more than the rest."""
        return self._wallets[int(self.chance.paretovariate(1.1) * 3) % len(self._wallets)]

    def shares(self) -> int:
        """Return a number of shares in millionths, such that a price in thousandths leaves no rest."""
        return max(1, round(self.chance.lognormvariate(3.0, 1.3) * 100)) * 10 * MILLS

    def hash(self) -> str:
        """Return a hash nobody has seen."""
        return f"0x{self.chance.getrandbits(256):064x}"


class Order(NamedTuple):
    """One side of a match."""

    owner: str
    buys: bool
    token: str
    price_mills: int
    shares: int


def transaction(trader: Trader, market: InventedMarket, second: int) -> list[Fill]:
    """Return the events of one match: one to five maker fills, then the taker's order."""
    chance = trader.chance
    market.trade(chance)
    first = chance.random() < 0.6  # noqa: PLR2004  (the first outcome is traded more)
    token, other = market.tokens if first else market.tokens[::-1]
    price_mills = market.price_mills if first else MILLS - market.price_mills
    taker = Order(trader.wallet(), chance.choice((BUY, SELL)), token, price_mills, 0)
    makers = _makers(trader, taker, other)
    exchange = EXCHANGES[1 if market.neg_risk else 0]
    taker = taker._replace(shares=sum(maker.shares for maker in makers))
    transaction_hash = trader.hash()
    fee_bps = FEE_BPS if market.has_fee else 0
    events = [_event(trader, transaction_hash, second, maker, taker.owner) for maker in makers]
    events.append(_event(trader, transaction_hash, second, taker, exchange) | {"fee": str(_fee(taker, fee_bps))})
    return events


def _makers(trader: Trader, taker: Order, other: str) -> list[Order]:
    counts, weights = zip(*FAN_OUT, strict=True)
    count = trader.chance.choices(counts, weights)[0]
    makers = [_maker(trader, taker, other) for _ in range(count)]
    if count > 1 and trader.chance.random() < EQUAL_FILLS_SHARE:
        # Two orders of one owner, equal in everything but their hash: two real fills.
        makers[1] = makers[0]
    return makers


def _maker(trader: Trader, taker: Order, other: str) -> Order:
    shares = trader.shares()
    if trader.chance.random() < MINT_OR_MERGE_SHARE:
        # Both buy (the exchange mints a pair) or both sell (it merges one): each its own outcome.
        return Order(trader.wallet(), taker.buys, other, MILLS - taker.price_mills, shares)
    return Order(trader.wallet(), not taker.buys, taker.token, taker.price_mills, shares)


def _event(trader: Trader, transaction_hash: str, second: int, order: Order, taker: str) -> Fill:
    order_hash = trader.hash()
    usd = order.shares * order.price_mills // MILLS
    gives, gets = (COLLATERAL, order.token) if order.buys else (order.token, COLLATERAL)
    amounts = (usd, order.shares) if order.buys else (order.shares, usd)
    return {
        "id": f"{transaction_hash}_{order_hash}",
        "transactionHash": transaction_hash,
        "timestamp": str(second),
        "orderHash": order_hash,
        "maker": order.owner,
        "taker": taker,
        "makerAssetId": gives,
        "takerAssetId": gets,
        "makerAmountFilled": str(amounts[0]),
        "takerAmountFilled": str(amounts[1]),
        "fee": "0",
    }


def _fee(order: Order, fee_bps: int) -> int:
    # A buyer pays in shares, a seller in collateral; both by the smaller of price and its complement.
    smaller = min(order.price_mills, MILLS - order.price_mills)
    in_collateral = fee_bps * smaller * order.shares // (BPS * MILLS)
    return in_collateral * MILLS // order.price_mills if order.buys else in_collateral
