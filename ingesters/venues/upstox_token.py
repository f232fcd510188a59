"""
The access token: whose text it is, when it dies, and what to say of it.

A token dies at 03:30 in India (22:00 UTC) whenever it was issued. Some live longer; one that is a JWT says so itself.
https://upstox.com/developer/api-documentation/get-token
"""

import base64
import binascii
import re

import msgspec

from common.clock import NS_PER_S
from common.errors import BadAnswer
from ingesters.venues.upstox_wire import ISSUED, VENUE

HOUR_NS = 3600 * NS_PER_S
DAY_NS = 24 * HOUR_NS
DEATH_NS = 22 * HOUR_NS  # of a day in UTC
AHEAD_NS = 12 * HOUR_NS  # a person has to act: told at the close of the market, not in the night
AHEAD_IF_RENEWED_NS = HOUR_NS // 12
JWT_PARTS = 3
A_TOKEN = re.compile(r"[\x21-\x7e]+")


class Claims(msgspec.Struct):
    """The part of a JWT that says when it ends, in seconds since the epoch."""

    exp: int | None = None


_claims = msgspec.json.Decoder(Claims)


def next_death_ns(now_ns: int) -> int:
    """Return the next 03:30 in India."""
    return (now_ns - DEATH_NS) // DAY_NS * DAY_NS + DAY_NS + DEATH_NS


def death_ns(token: str, now_ns: int) -> int:
    """Return when a token dies: as it says itself, else at the next 03:30 in India."""
    parts = token.split(".")
    if len(parts) != JWT_PARTS:
        return next_death_ns(now_ns)
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        ends_s = _claims.decode(base64.urlsafe_b64decode(padded)).exp
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, ValueError):  # looks like a JWT, and is none
        ends_s = None
    return next_death_ns(now_ns) if ends_s is None else ends_s * NS_PER_S


def issued_token(payload: bytes) -> str:
    """
    Return the token in the answer of a token service: JSON with `access_token` or `token`, or the bare text.

    Raises:
        BadAnswer: there is none in it.
    """
    text = payload.decode(errors="replace").strip()
    if text.startswith("{"):
        try:
            issued = ISSUED.decode(text)
        except msgspec.DecodeError as error:
            raise BadAnswer(VENUE, reason=f"the token service: {error}") from error
        text = issued.access_token or issued.token
    if not A_TOKEN.fullmatch(text) or text.startswith("<"):
        raise BadAnswer(VENUE, reason="expected a token from the token service, found something else")
    return text
