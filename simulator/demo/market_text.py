"""One invented market and its Gamma JSON, with all that makes the real ones hard to read."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NS_PER_US = 1000
MILLS = 1000
SUBJECTS = ("Bitcoin", "Ethereum", "the Fed", "Real Madrid", "the Lakers", "Solana", "the S&P 500", "Côte d'Ivoire")
DEEDS = ("close above {n}", "win by {n} points", 'say "{n}" on air', "cut by {n} bps", "pass {n} before May")
PAIRS = (("Yes", "No"), ("Yes", "No"), ("Yes", "No"), ("Over", "Under"), ("Up", "Down"))


@dataclass
class InventedMarket:
    """What is true of a market; its price is that of the first outcome, in thousandths."""

    number: int
    question: str
    slug: str
    condition_id: str
    tokens: tuple[str, str]
    outcomes: tuple[str, str]
    neg_risk: bool
    is_v2: bool
    has_volume: bool
    has_fee: bool
    tick_mills: int
    price_mills: int
    volume_cents: int
    created_ns: int
    closed_ns: int = 0

    def trade(self, chance: random.Random) -> None:
        """Move the price by a step or two, and add to the volume."""
        step = self.tick_mills * chance.choice((-2, -1, 0, 1, 2))
        self.price_mills = min(MILLS - self.tick_mills, max(self.tick_mills, self.price_mills + step))
        self.volume_cents += round(chance.lognormvariate(8, 1.5))


def new_market(number: int, created_ns: int, chance: random.Random) -> InventedMarket:
    """Return a market nobody has traded in."""
    amount = chance.randrange(1, 400)
    question = f"Will {chance.choice(SUBJECTS)} {chance.choice(DEEDS).format(n=amount)}?"
    tick_mills = chance.choice((1, 10, 10, 10))
    return InventedMarket(
        number=number,
        question=question,
        slug=f"{''.join(c if c.isalnum() and c.isascii() else '-' for c in question.lower()).strip('-')}-{number}",
        condition_id=f"0x{chance.getrandbits(256):064x}",
        tokens=(str(chance.getrandbits(255)), str(chance.getrandbits(256))),
        outcomes=chance.choice(PAIRS),
        neg_risk=chance.random() < 0.41,  # noqa: PLR2004  (measured shares of the real markets)
        is_v2=chance.random() < 0.05,  # noqa: PLR2004
        has_volume=chance.random() < 0.38,  # noqa: PLR2004
        has_fee=chance.random() < 0.1,  # noqa: PLR2004
        tick_mills=tick_mills,
        price_mills=tick_mills * chance.randrange(5, MILLS // tick_mills - 5),
        volume_cents=chance.randrange(0, 10**8),
        created_ns=created_ns,
    )


def market_text(market: InventedMarket, updated_ns: int) -> bytes:
    """Return a market as Gamma writes it."""
    end = _moment(market.created_ns) + timedelta(days=30 + market.number % 200)
    fields: dict[str, object] = {
        "id": str(market.number),
        "question": market.question,
        "conditionId": market.condition_id,
        "slug": market.slug,
        "startDate": _trimmed(market.created_ns + 90 * 10**9),
        "image": f"https://polymarket-upload.s3.us-east-2.amazonaws.com/{market.slug}.png",
        "description": f"Resolves to \u201c{market.outcomes[0]}\u201d if so.\nElse \u201c{market.outcomes[1]}\u201d.",
        "outcomes": json.dumps(market.outcomes),
        "active": True,
        "closed": market.closed_ns > 0,
        "new": False,
        "featured": False,
        "archived": False,
        "restricted": True,
        "createdAt": _trimmed(market.created_ns),
        "questionID": f"0x{market.condition_id[:1:-1]}",
        "enableOrderBook": True,
        "orderPriceMinTickSize": market.tick_mills / MILLS,
        "orderMinSize": 5,
        "startDateIso": f"{_moment(market.created_ns):%Y-%m-%d}",
        "negRisk": market.neg_risk,
        "negRiskOther": False,
        "spread": market.tick_mills / MILLS,
        "bestAsk": _number(market.price_mills + market.tick_mills),
        "umaResolutionStatuses": "[]",
        "feesEnabled": market.has_fee,
        "feeType": "crypto_fees" if market.has_fee else None,
    }
    return json.dumps(fields | _tokens(market) | _often_missing(market, updated_ns, end), ensure_ascii=True).encode()


def _tokens(market: InventedMarket) -> dict[str, object]:
    if market.is_v2:
        return {"version": "v2", "positionIds": list(market.tokens)}
    return {"clobTokenIds": json.dumps(market.tokens)}


def _often_missing(market: InventedMarket, updated_ns: int, end: datetime) -> dict[str, object]:
    fields = _prices(market)
    if market.number % 100:
        fields |= {"endDate": f"{end:%Y-%m-%dT%H:%M:%SZ}", "endDateIso": f"{end:%Y-%m-%d}"}
    if updated_ns != market.created_ns:
        fields["updatedAt"] = _trimmed(updated_ns)
    if market.neg_risk:
        fields["negRiskMarketID"] = market.condition_id
    if market.has_fee:
        fields |= {"makerBaseFee": 1000, "takerBaseFee": 1000}
    if market.closed_ns:
        fields |= {"closedTime": f"{_moment(market.closed_ns):%Y-%m-%d %H:%M:%S}+00", "acceptingOrders": False}
    return fields | {"events": [_event(market)]}


def _prices(market: InventedMarket) -> dict[str, object]:
    fields: dict[str, object] = {}
    if market.number % 97:
        price = market.price_mills / MILLS
        fields |= {"outcomePrices": json.dumps([f"{price:g}", f"{1 - price:.3g}"]), "acceptingOrders": True}
    if market.has_volume:
        cents = market.volume_cents
        fields |= {"volume": f"{cents / 100:.6f}".rstrip("0"), "volumeNum": _number(cents * 10)}
        fields |= {"liquidity": f"{cents / 700:.5f}", "liquidityNum": cents / 700}
    if market.number % 2:
        fields |= {"bestBid": _number(market.price_mills), "lastTradePrice": _number(market.price_mills)}
    return fields


def _event(market: InventedMarket) -> dict[str, object]:
    number = str(market.number // 4)
    return {
        "id": number,
        "ticker": f"event-{number}",
        "slug": f"event-{number}",
        "title": market.question,
        "negRisk": market.neg_risk,
        "negRiskAugmented": market.number % 4 == 0,
    }


def _number(mills: int) -> int | float:
    # The venue writes 1 where it means 1.0, and 1.5 in the same field of the next market.
    return mills // MILLS if mills % MILLS == 0 else mills / MILLS


def _moment(time_ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // NS_PER_US)


def _trimmed(time_ns: int) -> str:
    text = f"{_moment(time_ns):%Y-%m-%dT%H:%M:%S.%f}".rstrip("0")
    return f"{text.rstrip('.')}Z"
