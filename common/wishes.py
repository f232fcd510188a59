"""What people ask an ingester to fetch again by hand: words in a set that the ingester recalls."""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

DIGESTS_A_WORD = 500


class Wish(msgspec.Struct, frozen=True):
    """
    What happened to one symbol (the empty one: to all), from when to when, both ends included.

    Where a venue numbers without a hole, `standing` are the ids in that stretch which stand in ClickHouse already, as
    half-open parts in ascending order; nothing at or above the id `below` is asked for, for that is the stream's
    business. Elsewhere `below` is a time in ns, and what stands are `names` digests in a set beside the wish;
    `seen_ns` is when the newest record of the stream that stands was received.
    """

    id: str
    symbol: str
    from_ns: int
    to_ns: int
    below: int
    standing: tuple[tuple[int, int], ...] = ()
    names: int = 0
    seen_ns: int = 0

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


def standing_key(program: str, wish: str) -> str:
    """Return the key of the set that says what stands in the stretch of a wish, where ids are not dense."""
    return f"{backfill_key(program)}:{wish}"


def digest(name: str) -> str:
    """Return a short form of what names a record: of a million, two are alike once in thirty million times."""
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def packed(digests: Iterable[str]) -> Iterator[str]:
    """Yield digests in words of many, for a set holds only so many words."""
    ordered = sorted(digests)
    for start in range(0, len(ordered), DIGESTS_A_WORD):
        yield " ".join(ordered[start : start + DIGESTS_A_WORD])
