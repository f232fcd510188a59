"""What the benchmark sends: trades that all differ, and the totals by which a missing or a doubled one is found."""

from dataclasses import dataclass
from decimal import Decimal

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "BNBUSDT")
FIRST_ID = 1_000_000
TEXT, LENGTH_IN_TWO_BYTES, SHORT = 0x81, 126, 126  # RFC 6455, 5.2: a final text frame, unmasked as a server's are


@dataclass(frozen=True)
class Totals:
    """What must stand in the table afterwards."""

    count: int
    size: Decimal
    notional: Decimal


def price_cents(number: int) -> int:
    """Return the price of a trade, in hundredths."""
    return 6_000_000 + number * 7 % 100_003


def size_units(number: int) -> int:
    """Return the size of a trade, in hundred-thousandths."""
    return number * 31 % 99_991 + 1


def message(number: int, time_ms: int) -> bytes:
    """Return a trade as Binance's combined stream has it."""
    symbol = SYMBOLS[number % len(SYMBOLS)]
    cents, units = price_cents(number), size_units(number)
    return (
        f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":{time_ms},"s":"{symbol}",'
        f'"t":{FIRST_ID + number // len(SYMBOLS)},"p":"{cents // 100}.{cents % 100:02d}000000",'
        f'"q":"{units // 100_000}.{units % 100_000:05d}000","T":{time_ms},'
        f'"m":{"true" if number % 3 else "false"},"M":true}}}}'
    ).encode()


def frame(payload: bytes) -> bytes:
    """Return a message as the bytes of a WebSocket frame."""
    length = len(payload)
    head = bytes((TEXT, length)) if length < SHORT else bytes((TEXT, LENGTH_IN_TWO_BYTES)) + length.to_bytes(2, "big")
    return head + payload


def totals(count: int) -> Totals:
    """Return the totals of the first `count` trades."""
    size = sum(map(size_units, range(count)))
    notional = sum(price_cents(number) * size_units(number) for number in range(count))
    return Totals(count, Decimal(size).scaleb(-5), Decimal(notional).scaleb(-7))
