"""
What Upstox says, read: binary frames, JSON answers, and its numbers as decimal text.

The feed writes prices as doubles. Their text is the shortest that gives the same double, which is the number that the
venue had before it wrote it: 1074.8, not 1074.79999999999995453. Nothing is rounded here.
"""

import math
from decimal import Decimal

import msgspec
from google.protobuf.message import DecodeError

from common.clock import NS_PER_MS
from common.errors import WireError
from ingesters.venues import upstox_pb2 as pb

VENUE = "upstox"


def response_of(payload: bytes) -> pb.FeedResponse:
    """
    Return a frame of the socket.

    Raises:
        WireError: the bytes are no such message, or one that says nothing; any JSON would do for the latter.
    """
    try:
        response = pb.FeedResponse.FromString(payload)
    except DecodeError as error:
        raise WireError(VENUE, reason=f"expected a FeedResponse: {error}", payload=payload) from error
    if not response.feeds and not response.HasField("marketInfo") and not response.currentTs:
        raise WireError(VENUE, reason="expected feeds or a market status, found neither", payload=payload)
    return response


def decimal_text(value: float) -> str:
    """
    Return a double as plain decimal text, exactly.

    Raises:
        ValueError: it is no number.
    """
    text = repr(value)
    if "e" in text:
        return f"{Decimal(text):f}"
    if not math.isfinite(value):
        raise ValueError(f"expected a number, found {text}")
    return text.removesuffix(".0")


def told(value: float) -> str | None:
    """Return a figure that an instrument need not have; NaN is how the venue says that there is none."""
    return decimal_text(value) if math.isfinite(value) else None


def some(value: float) -> str | None:
    """Return a figure that an instrument need not have, and has only if it is not 0."""
    return told(value) if value else None


def venue_ns(stamp_ms: int) -> int | None:
    """Return a time of the venue; the wire leaves out one that it does not tell, which reads as 0."""
    return stamp_ms * NS_PER_MS if stamp_ms else None


class Place(msgspec.Struct, gc=False):
    """Where to connect, once; the second spelling is that of the older endpoint."""

    authorized_redirect_uri: str = ""
    authorized_redirect_uri_camel: str = msgspec.field(default="", name="authorizedRedirectUri")


class Authorized(msgspec.Struct, gc=False):
    """The body of an authorize answer."""

    data: Place


class Fault(msgspec.Struct, gc=False):
    """One reason of a refusal."""

    error_code: str = ""
    error_code_camel: str = msgspec.field(default="", name="errorCode")
    message: str = ""


class Refusal(msgspec.Struct, gc=False):
    """The body of an error."""

    errors: list[Fault] = []


class Issued(msgspec.Struct, gc=False):
    """What a token service answers; only the token is read."""

    access_token: str = ""
    token: str = ""


# Start, open, high, low, close, volume, open interest; numbers keep their digits.
Row = tuple[str, Decimal, Decimal, Decimal, Decimal, Decimal, Decimal]


class Rows(msgspec.Struct, gc=False):
    """Candles, newest first."""

    candles: list[Row]


class Candles(msgspec.Struct, gc=False):
    """The body of a candle answer."""

    data: Rows


AUTHORIZED = msgspec.json.Decoder(Authorized)
REFUSAL = msgspec.json.Decoder(Refusal)
ISSUED = msgspec.json.Decoder(Issued)
CANDLES = msgspec.json.Decoder(Candles)


def why_refused(status: int, body: bytes) -> str:
    """Return a refusal in words: its status, and what its body says of the reason."""
    try:
        faults = REFUSAL.decode(body).errors
    except (msgspec.DecodeError, UnicodeDecodeError):
        faults = []
    reasons = [f"{fault.error_code or fault.error_code_camel} {fault.message}".strip() for fault in faults]
    return ": ".join([f"HTTP {status}", *reasons])
