"""What people ask an ingester to fetch again by hand: words in a set that the ingester recalls."""

import hashlib

import msgspec


class Wish(msgspec.Struct, frozen=True):
    """
    Trades of one symbol, from when to when, both ends included.

    `standing` are the ids in that stretch which stand in ClickHouse already, as half-open parts in ascending order;
    nothing at or above the id `below` is asked for, for that is the stream's business.
    """

    id: str
    symbol: str
    from_ns: int
    to_ns: int
    below: int
    standing: tuple[tuple[int, int], ...] = ()

    @property
    def word(self) -> str:
        """Return it as it stands in the set."""
        return msgspec.json.encode(self).decode()


_decode = msgspec.json.Decoder(Wish).decode


def wish_of(word: str) -> Wish | None:
    """Return the wish that a word is, None if it is none."""
    try:
        return _decode(word)
    except msgspec.MsgspecError:
        return None


def wish_id(symbol: str, from_ns: int, to_ns: int) -> str:
    """Return a short name: the same for the same stretch, so that asking again finds what is under way."""
    return hashlib.sha256(f"{symbol} {from_ns} {to_ns}".encode()).hexdigest()[:8]


def backfill_key(program: str) -> str:
    """Return the key of the set in which an ingester finds its wishes."""
    return f"backfill:{program}"
