"""Sessions: handles that outlive a request, with their settings and temporary tables, until they are left alone."""

import time
from typing import Final

from embedded.clickhouse.engine import Engine
from embedded.clickhouse.errors import (
    INVALID_SESSION_TIMEOUT,
    SESSION_IS_LOCKED,
    SESSION_NOT_FOUND,
    ClickHouseError,
)
from embedded.clickhouse.handle import Handle

DEFAULT_TIMEOUT_S: Final = 60.0
LONGEST_TIMEOUT_S: Final = 3600.0
_LOOK_EVERY_S: Final = 1.0


class Session:
    """One named handle; used by one request at a time."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.busy = True
        self.expires_s = 0.0


class Sessions:
    """All sessions by user and name; used from the event loop only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions: dict[tuple[str, str], Session] = {}
        self._look_s = 0.0

    def enter(self, user: str, name: str, *, must_exist: bool, readonly: int) -> Session:
        """
        Return the session, locked for the caller; a missing one is begun.

        Raises:
            ClickHouseError: another request is in it, or it was asked to exist and does not.
        """
        session = self._sessions.get((user, name))
        if session is not None and not session.busy and session.expires_s <= time.monotonic():
            del self._sessions[user, name]
            session.handle.close()
            session = None
        if session is not None:
            if session.busy:
                raise ClickHouseError(SESSION_IS_LOCKED, f"Session {name} is locked by a concurrent client")
            session.busy = True
            return session
        if must_exist:
            raise ClickHouseError(SESSION_NOT_FOUND, f"Session {name} not found")
        session = Session(self._engine.take(readonly=readonly))
        self._sessions[user, name] = session
        return session

    def find(self, user: str, name: str) -> Session | None:
        """Return the session if it lives."""
        return self._sessions.get((user, name))

    def leave(self, session: Session, timeout_s: float) -> None:
        """Unlock the session; it lives on for `timeout_s` without a request."""
        session.busy = False
        session.expires_s = time.monotonic() + timeout_s

    def expire(self) -> None:
        """Close the sessions nobody came back to in time; looks once a second."""
        now_s = time.monotonic()
        if now_s < self._look_s:
            return
        self._look_s = now_s + _LOOK_EVERY_S
        for key, session in list(self._sessions.items()):
            if not session.busy and session.expires_s <= now_s:
                del self._sessions[key]
                session.handle.close()

    def close(self) -> None:
        """Close every session that is not in use."""
        for session in self._sessions.values():
            if not session.busy:
                session.handle.close()
        self._sessions.clear()


def timeout_s(text: str) -> float:
    """
    Return the session timeout a request asks for.

    Raises:
        ClickHouseError: not a number of seconds between 0 and an hour.
    """
    if not text:
        return DEFAULT_TIMEOUT_S
    if not text.isascii() or not text.isdigit():
        raise ClickHouseError(INVALID_SESSION_TIMEOUT, f"Invalid session timeout: '{text}'")
    if float(text) > LONGEST_TIMEOUT_S:
        message = f"Session timeout '{text}' is larger than max_session_timeout: {LONGEST_TIMEOUT_S:.0f}"
        raise ClickHouseError(INVALID_SESSION_TIMEOUT, f"{message}")
    return float(text)
