"""The venue's hash of a book: what it has to be, where its rule is known."""

import hashlib

import msgspec

from ingesters.venues.polymarket_clob_wire import BookMessage, RestBook


def expected_hash(book: BookMessage | RestBook) -> str | None:
    """
    Return what the venue's hash of a book has to be, None where its rule is not known.

    It is the SHA-1 of compact JSON in which the hash is empty. Measured on real books: socket messages of 2025 have six
    keys, answers of 2026 ten. A book without its market, and socket messages with more keys, follow no known rule.
    """
    if not book.hash or not book.market or book.bids is msgspec.UNSET:
        return None
    bids, asks = book.bids, book.asks
    told: dict[str, object] = {"market": book.market, "asset_id": book.asset_id, "timestamp": str(book.timestamp)}
    told |= {"hash": "", "bids": bids, "asks": asks}
    if isinstance(book, RestBook):
        more = (book.min_order_size, book.tick_size, book.neg_risk, book.last_trade_price)
        if None in more:
            return None
        told |= zip(("min_order_size", "tick_size", "neg_risk", "last_trade_price"), more, strict=True)
    elif book.tick_size is not None or book.last_trade_price is not None:
        return None
    return hashlib.sha1(msgspec.json.encode(told), usedforsecurity=False).hexdigest()
