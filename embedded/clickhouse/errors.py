"""Errors as ClickHouse words them: a number, a name, a text, and the HTTP status they travel under."""

import re
from typing import Final

NAMES: Final = {
    36: "BAD_ARGUMENTS",
    62: "SYNTAX_ERROR",
    48: "NOT_IMPLEMENTED",
    164: "READONLY",
    192: "UNKNOWN_USER",
    210: "NETWORK_ERROR",
    216: "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING",
    236: "ABORTED",
    261: "UNKNOWN_BLOCK_INFO_FIELD",
    271: "CANNOT_DECOMPRESS",
    354: "ZLIB_INFLATE_FAILED",
    358: "INTO_OUTFILE_NOT_ALLOWED",
    372: "SESSION_NOT_FOUND",
    373: "SESSION_IS_LOCKED",
    374: "INVALID_SESSION_TIMEOUT",
    394: "QUERY_WAS_CANCELLED",
    516: "AUTHENTICATION_FAILED",
    1001: "STD_EXCEPTION",
}

BAD_ARGUMENTS: Final = 36
NOT_IMPLEMENTED: Final = 48
SYNTAX_ERROR: Final = 62
READONLY: Final = 164
NETWORK_ERROR: Final = 210
SAME_QUERY_ID: Final = 216
ABORTED: Final = 236
CANNOT_DECOMPRESS: Final = 271
INTO_OUTFILE_NOT_ALLOWED: Final = 358
SESSION_NOT_FOUND: Final = 372
SESSION_IS_LOCKED: Final = 373
INVALID_SESSION_TIMEOUT: Final = 374
QUERY_WAS_CANCELLED: Final = 394
AUTHENTICATION_FAILED: Final = 516
STD_EXCEPTION: Final = 1001

# The server's own table: exceptionCodeToHTTPStatus in src/Server/HTTP/exceptionCodeToHTTPStatus.cpp.
_BAD_REQUEST = (6, 26, 27, 33, 36, 38, 41, 43, 53, 62, 69, 72, 117, 130, 145, 167, 168, 371, 374, 386, 456, 457)
_NOT_FOUND = (15, 16, 20, 45, 46, 47, 50, 56, 60, 63, 73, 75, 81, 115, 137, 372)
_STATUS: Final = {
    **dict.fromkeys(_BAD_REQUEST, 400),
    **dict.fromkeys(_NOT_FOUND, 404),
    48: 501,
    76: 503,
    159: 408,
    192: 403,
    193: 403,
    194: 401,
    209: 503,
    373: 423,
    381: 411,
    439: 503,
    497: 403,
    516: 403,
}

_HEAD: Final = re.compile(r"Code: (\d+)\. (?:DB::[A-Za-z]*Exception: )?")
_TAIL: Final = re.compile(r"(?:\s*\(([A-Z][A-Z0-9_]+)\)\s*(?:\(version [^)]*(?:\([^)]*\))?\))?\.?)+\s*\Z")
_VERSION: Final = re.compile(r"\s*\(version [^)]*(?:\([^)]*\))?\)\s*\Z")


class ClickHouseError(Exception):
    """One refusal, with the code that clients switch on."""

    def __init__(self, code: int, message: str, name: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.name = name or NAMES.get(code, "STD_EXCEPTION")

    def __str__(self) -> str:
        return f"Code: {self.code}. DB::Exception: {self.message} ({self.name})"

    @property
    def status(self) -> int:
        """Return the HTTP status under which a server sends this code."""
        return _STATUS.get(self.code, 500)


def from_engine(error: Exception) -> ClickHouseError:
    """Return the engine's error with its code; a text without one is code 1001, as from a server."""
    text = str(error)
    found = _HEAD.search(text)
    if found is None:
        return ClickHouseError(STD_EXCEPTION, text.strip() or type(error).__name__)
    message = text[found.end() :]
    while again := _HEAD.match(message):  # the engine wraps some of its errors in themselves
        message = message[again.end() :]
    tail = _TAIL.search(message)
    name = tail[1] if tail else ""
    return ClickHouseError(int(found[1]), _VERSION.sub("", message[: tail.start()] if tail else message), name)
