"""The way in: a token, and a permission to connect that holds once; who is told when the token dies."""

from collections.abc import Iterator

import msgspec

from common.clock import utc_text
from common.errors import BadAnswer, FeedRefused, WireLost
from common.records import EventKind, FeedEvent
from common.settings import Settings
from ingesters.feed import Fetch, Frame, Step
from ingesters.venues.upstox_token import AHEAD_IF_RENEWED_NS, AHEAD_NS, death_ns, issued_token
from ingesters.venues.upstox_wire import AUTHORIZED, VENUE, why_refused

TOKEN, AUTHORIZE, STILL_VALID = "token", "authorize", "still_valid"
RENEW_S = 30.0
OK = 200
TOKEN_DEAD = (401, 403)
NO_TOKEN_YET = (401, 403, 404)


class Access:
    """The token of one connection to the venue, and the permissions that it gets."""

    def __init__(self, settings: Settings) -> None:
        self._service = settings.upstox_token_url
        self._url = f"{settings.upstox_api_url}/v3/feed/market-data-feed/authorize"
        secret = settings.upstox_access_token
        self._token = secret.get_secret_value() if secret is not None else ""
        self._dies_ns = 0
        self._has_warned = False
        self._has_told_refusal = False

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return what every question to the venue carries."""
        return (("Authorization", f"Bearer {self._token}"), ("Accept", "application/json"))

    def begin(self) -> Fetch:
        """Ask the token service, if there is one, else for a permission at once."""
        return self.ask() if self._service is None else self._ask_service()

    def ask(self, key: str = AUTHORIZE) -> Fetch:
        """Ask for a permission to connect."""
        return Fetch(key, self._url, accept=TOKEN_DEAD, headers=self.headers, is_private=True)

    def take_token(self, frame: Frame) -> Iterator[Step]:
        """
        Go on with the token of the service.

        Raises:
            BadAnswer: it has none yet.
        """
        if frame.status != OK:
            raise BadAnswer(VENUE, reason=f"the token service answered HTTP {frame.status}")
        self._token = issued_token(frame.payload)
        yield self.ask()

    def address(self, frame: Frame) -> str:
        """
        Return where to connect.

        Raises:
            BadAnswer: the answer does not say.
        """
        try:
            place = AUTHORIZED.decode(frame.payload).data
        except msgspec.DecodeError as error:
            raise BadAnswer(VENUE, reason=f"permission to connect: {error}") from error
        url = place.authorized_redirect_uri or place.authorized_redirect_uri_camel
        if not url:
            raise BadAnswer(VENUE, reason="permission to connect: expected an address, found none")
        return url

    def lives(self, now_ns: int) -> None:
        """Note that the venue takes the token."""
        self._dies_ns = death_ns(self._token, now_ns)

    def still_lives(self, now_ns: int) -> FeedEvent:
        """Say that it took the token after its death."""
        return _event("resync", now_ns, "the venue still takes the token")

    def is_dead(self, frame: Frame) -> Iterator[Step]:
        """
        Tell that the token is not taken, and ask for another one.

        Raises:
            FeedRefused: there is no service for that: only a person can help.
        """
        reason = why_refused(frame.status, frame.payload)
        if self._service is None:
            remedy = "set a new UPSTOX_ACCESS_TOKEN (it dies at 03:30 IST every day), or UPSTOX_TOKEN_URL"
            raise FeedRefused(VENUE, reason=f"{reason}; {remedy}")
        if not self._has_told_refusal:
            self._has_told_refusal = True
            yield _event("refused", frame.received_ns, f"{reason}; asking the token service for another one")
        yield self._ask_service(RENEW_S)

    def look(self, now_ns: int) -> Iterator[Step]:
        """
        Tell of the token's death in time.

        Raises:
            WireLost: it has died, and another one can be fetched.
        """
        left_ns = self._dies_ns - now_ns
        ahead_ns = AHEAD_NS if self._service is None else AHEAD_IF_RENEWED_NS
        if left_ns <= 0 and self._service is not None:
            raise WireLost(VENUE, reason="the token has died; a new one is fetched")
        if left_ns <= 0:
            self._dies_ns = death_ns("", now_ns)  # some live longer than a day: ask, and look again a day later
            self._has_warned = False
            yield _event("stale", now_ns, "the token should have died now; asking the venue whether it has")
            yield self.ask(STILL_VALID)
        elif left_ns < ahead_ns and not self._has_warned:
            self._has_warned = True
            then = "a new one is fetched then" if self._service else "set a new UPSTOX_ACCESS_TOKEN and restart"
            yield _event("stale", now_ns, f"the token dies at {utc_text(self._dies_ns)[:16]} UTC: {then}")

    def _ask_service(self, after_s: float = 0.0) -> Fetch:
        return Fetch(TOKEN, self._service or "", after_s=after_s, accept=NO_TOKEN_YET, is_private=True)


def _event(kind: EventKind, now_ns: int, detail: str) -> FeedEvent:
    return FeedEvent(VENUE, "", now_ns, channel="token", kind=kind, from_ns=now_ns, to_ns=now_ns, detail=detail)
