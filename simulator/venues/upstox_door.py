"""Who may come in to the simulated Upstox: tokens that die at 03:30 in India, and codes that hold once."""

import base64
import secrets

import msgspec

from common.clock import NS_PER_S
from simulator.faults import Clock

DEATH_S = 22 * 3600  # 03:30 in India, in seconds of a day in UTC
DAY_S = 86_400
INVALID = (
    b'{"status":"error","errors":[{"error_code":"UDAPI100050","message":"Invalid token used to access API",'
    b'"property_path":null,"invalid_value":null}]}'
)


class Door:
    """The tokens given out, and the codes not yet used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, int] = {}
        self._codes: set[str] = set()

    def issue(self, life_s: float | None) -> str:
        """Return a new token; it names its own end, as the venue's do: in `life_s`, else at the next 03:30 in India."""
        now_s = self._clock() // NS_PER_S
        night_s = (now_s - DEATH_S) // DAY_S * DAY_S + DAY_S + DEATH_S
        ends_s = night_s if life_s is None else now_s + round(life_s)
        claims = msgspec.json.encode({"sub": "SIMULATED", "jti": secrets.token_hex(8), "iat": now_s, "exp": ends_s})
        token = ".".join((_part(b'{"typ":"JWT","alg":"none"}'), _part(claims), "simulated"))
        self._tokens[token] = ends_s
        return token

    def expire(self) -> None:
        """Let every token die now."""
        self._tokens.clear()

    def knows(self, authorization: str) -> bool:
        """Return whether an Authorization header holds a token that lives."""
        ends_s = self._tokens.get(authorization.removeprefix("Bearer "), 0)
        return self._clock() // NS_PER_S < ends_s

    def permit(self) -> str:
        """Return a code with which one connection may be opened."""
        code = secrets.token_hex(16)
        self._codes.add(code)
        return code

    def admits(self, code: str) -> bool:
        """Return whether a code holds; from now on it does not."""
        held = code in self._codes
        self._codes.discard(code)
        return held


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
