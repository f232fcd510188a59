"""
Upstox Market Data Feed V3: NSE, BSE and MCX instruments, conflated to about a tick a second.

A connection is a token, a permission to connect that holds once, a socket, and a subscription in a binary frame. Then
come the status of the markets, a first tick of every key, and ticks of keys that changed, each with its whole state.
https://upstox.com/developer/api-documentation/v3/get-market-data-feed
"""

from collections.abc import Iterable, Iterator

import msgspec

from common.clock import NS_PER_S, utc_text
from common.codec import Origin, dead_letter
from common.errors import BadAnswer, FeedRefused, WireLost
from common.records import EventKind, FeedEvent, Record
from common.settings import Settings
from ingesters.feed import Dial, Fetch, Frame, Resume, Step, Wake
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.chosen import Chosen
from ingesters.venues.upstox_backfill import QUESTION, Backfill
from ingesters.venues.upstox_fields import Watch
from ingesters.venues.upstox_instrument import KINDS, Instrument
from ingesters.venues.upstox_session import Session, Subscriptions, moment_of
from ingesters.venues.upstox_ticks import Moment
from ingesters.venues.upstox_token import AHEAD_IF_RENEWED_NS, AHEAD_NS, death_ns, issued_token
from ingesters.venues.upstox_wire import AUTHORIZED, VENUE, response_of, why_refused

PROGRAM = "upstox_ingester"
TOKEN, AUTHORIZE, STILL_VALID, LOOK = "token", "authorize", "still_valid", "look"
LOOK_S = 5.0
RENEW_S = 30.0
OK = 200
TOKEN_DEAD = (401, 403)
TOKEN_NOT_YET = (401, 403, 404)


class UpstoxFeed:
    """One connection to Upstox."""

    venue = VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._settings = settings
        self._resume = resume
        secret = settings.upstox_access_token
        self._token = secret.get_secret_value() if secret is not None else ""
        self._dies_ns = 0
        self._warned = False
        self._is_dialled = False
        self._has_told_refusal = False
        self._chosen = Chosen(PROGRAM, settings.upstox_instrument_keys)
        self._instruments: dict[str, Instrument] = {}
        self._subscriptions = Subscriptions(settings.upstox_mode)
        self._session = Session(settings.upstox_mute_s)
        longest_ns = int(settings.backfill_max_s * NS_PER_S)
        self._backfill = Backfill(settings.upstox_api_url, longest_ns, resume.state)
        self._watch = Watch()

    def opening(self) -> Iterator[Step]:
        """Get a token if there is a service for it, then a permission to connect."""
        yield self._ask_for_token() if self._is_renewable else self._ask_for_place(AUTHORIZE)
        yield self._chosen.recall
        yield Wake(LOOK, LOOK_S)

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means."""
        key = frame.reply_to
        if key is None:
            return self._hear(frame)
        if key == LOOK:
            return self._look(frame.received_ns)
        if key == self._chosen.key:
            return self._choose(frame)
        if key == TOKEN:
            return self._take_token(frame)
        if key.startswith(QUESTION):
            return self._backfill.answer(frame, key.removeprefix(QUESTION))
        return self._may_connect(frame)

    @property
    def _is_renewable(self) -> bool:
        return self._settings.upstox_token_url is not None

    @property
    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (("Authorization", f"Bearer {self._token}"), ("Accept", "application/json"))

    def _ask_for_token(self, after_s: float = 0.0) -> Fetch:
        return Fetch(
            TOKEN, self._settings.upstox_token_url or "", after_s=after_s, accept=TOKEN_NOT_YET, is_private=True
        )

    def _ask_for_place(self, key: str) -> Fetch:
        url = f"{self._settings.upstox_api_url}/v3/feed/market-data-feed/authorize"
        return Fetch(key, url, accept=TOKEN_DEAD, headers=self._headers, is_private=True)

    def _take_token(self, frame: Frame) -> Iterator[Step]:
        if frame.status != OK:
            raise BadAnswer(VENUE, reason=f"the token service answered HTTP {frame.status}")
        self._token = issued_token(frame.payload)
        yield self._ask_for_place(AUTHORIZE)

    def _may_connect(self, frame: Frame) -> Iterator[Step]:
        if frame.status != OK:
            yield from self._token_is_dead(frame)
            return
        try:
            place = AUTHORIZED.decode(frame.payload).data
        except msgspec.DecodeError as error:
            raise BadAnswer(VENUE, reason=f"permission to connect: {error}") from error
        url = place.authorized_redirect_uri or place.authorized_redirect_uri_camel
        if not url:
            raise BadAnswer(VENUE, reason="permission to connect: expected an address, found none")
        if frame.reply_to == STILL_VALID:
            yield _event("resync", frame.received_ns, "the venue still takes the token")
            return
        self._dies_ns = death_ns(self._token, frame.received_ns)
        self._is_dialled = True
        self._session.heard(frame.received_ns)
        yield Dial(url)
        yield from self._subscriptions.add(self._chosen.symbols, frame.received_ns)
        yield from self._backfill.begin(self._headers, frame.received_ns)

    def _token_is_dead(self, frame: Frame) -> Iterator[Step]:
        """Tell it, and ask for another token; without a service for that only a person can help."""
        reason = why_refused(frame.status, frame.payload)
        if not self._is_renewable:
            remedy = "set a new UPSTOX_ACCESS_TOKEN (it dies at 03:30 IST every day), or UPSTOX_TOKEN_URL"
            raise FeedRefused(VENUE, reason=f"{reason}; {remedy}")
        if not self._has_told_refusal:
            self._has_told_refusal = True
            yield _event("refused", frame.received_ns, f"{reason}; asking the token service for another one")
        yield self._ask_for_token(RENEW_S)

    def _look(self, now_ns: int) -> Iterator[Step]:
        if self._is_dialled:
            yield from self._look_at_token(now_ns)
            yield from self._subscriptions.look(now_ns)
            self._session.look(self._chosen.symbols, now_ns)
        yield Wake(LOOK, LOOK_S)

    def _look_at_token(self, now_ns: int) -> Iterator[Step]:
        left_ns = self._dies_ns - now_ns
        if left_ns <= 0 and self._is_renewable:
            raise WireLost(VENUE, reason="the token has died; a new one is fetched")
        if left_ns <= 0:
            self._dies_ns = death_ns("", now_ns)  # some live longer than a day: ask, and look again a day later
            self._warned = False
            yield _event("stale", now_ns, "the token should have died now; asking the venue whether it has")
            yield self._ask_for_place(STILL_VALID)
        elif left_ns < (AHEAD_IF_RENEWED_NS if self._is_renewable else AHEAD_NS) and not self._warned:
            self._warned = True
            then = "a new one is fetched then" if self._is_renewable else "set a new UPSTOX_ACCESS_TOKEN and restart"
            yield _event("stale", now_ns, f"the token dies at {utc_text(self._dies_ns)[:16]} UTC: {then}")

    def _choose(self, frame: Frame) -> Iterator[Step]:
        added, removed = self._chosen.hear(frame)
        if self._is_dialled:
            for symbol in removed:
                self._instruments.pop(symbol, None)
            yield from self._subscriptions.remove(removed)
            yield from self._subscriptions.add(added, frame.received_ns)
        yield self._chosen.recall

    def _hear(self, frame: Frame) -> Iterator[Step]:
        """Say what a frame of the socket means; its type says nothing that its fields do not."""
        response = response_of(frame.payload)
        moment = moment_of(response, frame.received_ns)
        self._session.heard(frame.received_ns)
        yield from self._session.statuses(response.marketInfo, moment)
        for symbol in sorted(response.feeds):
            yield from self._tick(symbol, response.feeds[symbol], moment)
        yield from self._watch.look(response, frame.payload, frame.received_ns)

    def _tick(self, symbol: str, feed: pb.Feed, moment: Moment) -> Iterator[Step]:
        """Say what a tick means; one that cannot be read is set aside and leaves the others of its frame alone."""
        instrument = self._instruments.get(symbol)
        is_first = instrument is None
        if instrument is None:
            instrument = self._instruments[symbol] = Instrument(symbol, self._marks(symbol))
            self._subscriptions.heard(symbol)
        try:
            missed = instrument.missed(feed, moment) if is_first else None
            records = instrument.hear(feed, moment)
        except ValueError as error:
            instrument.forget()
            place = f"{symbol} {moment.sequence} {moment.received_ns}"
            origin = Origin(PROGRAM, "", place, moment.received_ns, VENUE, symbol)
            yield dead_letter(feed.SerializeToString(), origin, reason=f"{symbol}: {error}")
            return
        if missed is not None:
            yield from self._backfill.miss(missed, moment.received_ns)
        yield from records

    def _marks(self, symbol: str) -> dict[type[Record], int]:
        marks = self._resume.marks
        return {kind: marks[topic, symbol] for topic, kind in KINDS.items() if (topic, symbol) in marks}


def _event(kind: EventKind, now_ns: int, detail: str) -> FeedEvent:
    return FeedEvent(VENUE, "", now_ns, channel="token", kind=kind, from_ns=now_ns, to_ns=now_ns, detail=detail)
