"""Who may come in: a JSON file of names and passwords, or one user without a password."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from common import log
from embedded.clickhouse.errors import AUTHENTICATION_FAILED, ClickHouseError

_log = log.logger("clickhouse")


class User(NamedTuple):
    """A name that may come in; `readonly` 1 means that it cannot write or change settings, 2 that it cannot write."""

    name: str
    password_sha256_hex: str
    readonly: int = 0


class BadUsersFile(Exception):
    """The users file cannot be understood; the program ends with code 2."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot use {self.path}: {self.reason}"


_EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
EVERYBODY: Final = {"default": User("default", _EMPTY_SHA256)}


def read_users(path: Path) -> dict[str, User]:
    """
    Return the users of `{"name": {"password": … or "password_sha256_hex": …, "readonly": 0, 1 or 2}}`.

    Raises:
        BadUsersFile: not readable, not JSON, or not of that shape.
    """
    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadUsersFile(path, str(error)) from error
    if not isinstance(entries, dict) or not entries:
        raise BadUsersFile(path, "expected an object with at least one user")
    return {name: _user(path, name, entry) for name, entry in entries.items()}


class UsersFile:
    """The users of a file, read again when it has been written anew; while it cannot be understood, as they were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = self._stamp()
        self._users = read_users(path)

    def users(self) -> Mapping[str, User]:
        """Return them as they are by now."""
        stamp = self._stamp()
        if stamp != self._written:
            self._written = stamp
            try:
                self._users = read_users(self._path)
            except BadUsersFile as error:
                _log.error("clickhouse.users_kept", reason=str(error))
            else:
                _log.info("clickhouse.users_read", users=len(self._users))
        return self._users

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino


def everybody() -> Mapping[str, User]:
    """Return the one user of a server without a users file."""
    return EVERYBODY


def authenticate(users: Mapping[str, User], headers: Mapping[str, str], params: Mapping[str, str]) -> User:
    """
    Return the user whose name and password the request carries.

    Raises:
        ClickHouseError: no such user or another password; which of the two is not told.
    """
    name, password = _credentials(headers, params)
    user = users.get(name)
    digest = hashlib.sha256(password.encode("utf-8", "surrogateescape")).hexdigest()
    if user is None or not hmac.compare_digest(digest, user.password_sha256_hex):
        message = (
            f"{name}: Authentication failed: password is incorrect, or there is no user with such name.\n\n"
            "If you use the embedded server, its users file names them."
        )
        raise ClickHouseError(AUTHENTICATION_FAILED, message)
    return user


def _credentials(headers: Mapping[str, str], params: Mapping[str, str]) -> tuple[str, str]:
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user") or "default", headers.get("x-clickhouse-key", "")
    authorization = headers.get("authorization", "")
    if authorization:
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "basic":
            raise ClickHouseError(AUTHENTICATION_FAILED, f"Authentication by '{scheme}' is not supported")
        return _basic(secret)
    return params.get("user") or "default", params.get("password", "")


def _basic(secret: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(secret, validate=True).decode("utf-8", "surrogateescape").partition(":")
    except (binascii.Error, ValueError) as error:
        message = "Invalid HTTP Authorization header: expected Base64"
        raise ClickHouseError(AUTHENTICATION_FAILED, message) from error
    return name or "default", password


def _user(path: Path, name: str, entry: object) -> User:
    if not isinstance(entry, dict) or not entry.keys() <= {"password", "password_sha256_hex", "readonly"}:
        raise BadUsersFile(path, f"user {name}: expected password or password_sha256_hex, and readonly")
    digest = entry.get("password_sha256_hex")
    if digest is None:
        digest = hashlib.sha256(str(entry.get("password", "")).encode()).hexdigest()
    readonly = entry.get("readonly", 0)
    if readonly not in (0, 1, 2):
        raise BadUsersFile(path, f"user {name}: expected readonly to be 0, 1 or 2, found {readonly!r}")
    return User(name, str(digest).lower(), int(readonly))
