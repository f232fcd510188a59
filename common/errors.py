"""
Every error of ours, and what happens next.

TickfleetError
├── BadSettings         the process stops with exit code 78; start.sh prints every problem at once
├── FeedRefused         the process stops with exit code 2 and stays down: a person must act
├── Fenced              the process stops with exit code 2: another copy of it has taken over
├── SchemaMismatch      the process stops with exit code 2: the database is older or newer than the code
├── WireLost            the connection ended: a `disconnected` event, back-off, a new connection
├── BadAnswer           a venue's answer is no answer: the same question is asked again after a pause
├── WireError           bytes from the venue could not be read: dead letter with the bytes, and on
├── UnreadableRecord    a stream entry could not be read: dead letter, and on
├── ScaleOverflow       a book's prices or sizes need more than 62 bits: the message is set aside, the book unknown
├── UnreadableCheckpoint  a processor's saved state is of another version: rebuilt from the stream, and told
├── StreamRefused       Redis would not append (full, or the cursor does not fit): held back and tried again
│   └── HistoryLost     Redis has lost what it had confirmed: claimed again, given again what we still have, and on
├── SpoolRefused        the spool is full or its disk will not take more: the wire is not read until there is room
├── StoreRefused        ClickHouse would not store: tried again, or split until the guilty rows are alone
└── Unreachable         a server could not be asked: those who look on say so, and ask again
"""


class TickfleetError(Exception):
    """The root: catch it to tell our refusals from bugs."""


class BadSettings(TickfleetError):
    """Settings that cannot work; `problems` names every one of them."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class FeedRefused(TickfleetError):
    """The venue said no in a way that asking again cannot change."""

    def __init__(self, venue: str, *, reason: str) -> None:
        self.venue = venue
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.venue} refused: {self.reason}"


class Fenced(TickfleetError):
    """Somebody with a newer epoch owns what this process thought its own."""

    def __init__(self, what: str, *, epoch: int) -> None:
        self.what = what
        self.epoch = epoch

    def __str__(self) -> str:
        return f"{self.what}: epoch {self.epoch} is over, another process has taken it"


class SchemaMismatch(TickfleetError):
    """The database's schema is not the one this code was written for."""

    def __init__(self, *, expected: int, found: int) -> None:
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        remedy = "run python setup_schema.py" if self.found < self.expected else "update Tickfleet, this code is older"
        return f"expected schema version {self.expected}, found {self.found}: {remedy}"


class WireLost(TickfleetError):
    """A connection ended or was never made."""

    def __init__(self, venue: str, *, reason: str) -> None:
        self.venue = venue
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.venue}: {self.reason}"


class BadAnswer(TickfleetError):
    """A venue answered a question with something that is neither data nor a refusal."""

    def __init__(self, venue: str, *, reason: str, retry_after_s: float | None = None) -> None:
        self.venue = venue
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.venue} could not answer: {self.reason}"


class WireError(TickfleetError):
    """Bytes from a venue that we cannot read; `payload` holds them all."""

    def __init__(self, venue: str, *, reason: str, payload: bytes) -> None:
        self.venue = venue
        self.reason = reason
        self.payload = payload

    def __str__(self) -> str:
        return f"{self.venue} sent {len(self.payload)} unreadable bytes: {self.reason}"


class UnreadableRecord(TickfleetError):
    """A line of a stream entry that is not the record it should be."""

    def __init__(self, record: str, *, reason: str) -> None:
        self.record = record
        self.reason = reason

    def __str__(self) -> str:
        return f"expected a {self.record}: {self.reason}"


class UnreadableCheckpoint(TickfleetError):
    """A saved state that this code cannot go on from."""

    def __init__(self, processor: str, *, reason: str) -> None:
        self.processor = processor
        self.reason = reason

    def __str__(self) -> str:
        return f"the checkpoint of {self.processor} cannot be read: {self.reason}"


class ScaleOverflow(TickfleetError):
    """Numbers of one book that no 62-bit integers of one scale can hold."""

    def __init__(self, what: str, *, digits: int) -> None:
        self.what = what
        self.digits = digits

    def __str__(self) -> str:
        return f"expected {self.what} below 2^62 x 10^-{self.digits}, found one that is larger"


class StreamRefused(TickfleetError):
    """Redis did not take an append or a commit."""

    def __init__(self, stream: str, *, reason: str) -> None:
        self.stream = stream
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.stream}: {self.reason}"


class HistoryLost(StreamRefused):
    """Redis came back with less than it had confirmed to a source; nothing was appended."""


class SpoolRefused(TickfleetError):
    """The spool did not take packets; they are where they were."""

    def __init__(self, folder: str, *, reason: str) -> None:
        self.folder = folder
        self.reason = reason

    def __str__(self) -> str:
        return f"spool {self.folder}: {self.reason}"


class StoreRefused(TickfleetError):
    """ClickHouse did not store or answer; `code` is its error number, 0 when it did not say."""

    def __init__(self, what: str, *, code: int, reason: str) -> None:
        self.what = what
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}" + (f" (code {self.code})" if self.code else "")


class Unreachable(TickfleetError):
    """A server did not answer those who look on."""

    def __init__(self, server: str, *, reason: str) -> None:
        self.server = server
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.server} does not answer: {self.reason}"
