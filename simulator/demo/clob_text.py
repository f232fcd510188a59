"""How the CLOB writes numbers, and the hash of a book."""

import hashlib

import msgspec

MILLS = 1000


def hashed(told: dict[str, object]) -> bytes:
    """Return JSON with the venue's hash in it: the SHA-1 of the same JSON in which the hash is empty."""
    digest = hashlib.sha1(msgspec.json.encode(told), usedforsecurity=False).hexdigest()
    return msgspec.json.encode(told | {"hash": digest})


def price_text(mills: int) -> str:
    """Return a price given in thousandths."""
    return f"0.{mills:03d}".rstrip("0") if 0 < mills < MILLS else str(mills // MILLS)


def size_text(hundredths: int) -> str:
    """Return a size given in hundredths."""
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")
