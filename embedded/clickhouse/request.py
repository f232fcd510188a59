"""What one HTTP request asks for: who, where, under which settings, with which parameters."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import parse_qsl
from uuid import uuid4

from embedded.clickhouse.users import User

# Parameters that steer the HTTP face itself; everything else in the address is a setting of the engine.
_OURS: Final = frozenset(
    {
        "buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "client_protocol_version",
        "close_session",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "http_zlib_compression_level",
        "password",
        "query",
        "query_id",
        "quota_key",
        "readonly",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "stacktrace",
        "user",
        "wait_end_of_query",
    }
)
_TRUE: Final = frozenset({"1", "true", "True"})


class Request(NamedTuple):
    """A request whose sender is known; `params` are the address's and the form's, the last of a name counting."""

    method: str
    headers: Mapping[str, str]
    params: Mapping[str, str]
    user: User
    query_id: str

    def flag(self, name: str) -> bool:
        """Return whether a yes-or-no parameter says yes."""
        return self.params.get(name, "") in _TRUE

    @property
    def database(self) -> str:
        """Return the database named for this query only, "" for none."""
        return self.params.get("database") or self.headers.get("x-clickhouse-database", "")

    @property
    def format(self) -> str:
        """Return the format for statements that name none."""
        return self.params.get("default_format") or self.headers.get("x-clickhouse-format") or "TabSeparated"

    @property
    def revision(self) -> int:
        """Return the protocol revision the client offers, 0 for none."""
        offered = self.params.get("client_protocol_version", "0")
        return int(offered) if offered.isascii() and offered.isdigit() else 0

    @property
    def session_id(self) -> str:
        """Return the session's name, "" for none."""
        return self.params.get("session_id", "")

    @property
    def readonly(self) -> int:
        """Return 1 for no writes and no settings, 2 for no writes, 0 for neither; a GET never writes."""
        asked = self.params.get("readonly", "0")
        wanted = int(asked) if asked in ("1", "2") else 2 * (self.method in ("GET", "HEAD"))
        return 1 if 1 in (self.user.readonly, wanted) else max(self.user.readonly, wanted)

    @property
    def narrows_itself(self) -> bool:
        """Return whether it asks for readonly 1 where its user need not; a session's handle would stay so for good."""
        return self.params.get("readonly") == "1" and self.user.readonly != 1 and not self.session_id

    @property
    def standing(self) -> int:
        """Return the readonly that its handle starts from: under 1 or 2 nothing could be narrowed any more."""
        return 0 if self.narrows_itself else self.user.readonly

    @property
    def bindings(self) -> dict[str, str]:
        """Return the values of `{name:Type}` places."""
        return {name[6:]: value for name, value in self.params.items() if name.startswith("param_")}

    @property
    def settings(self) -> dict[str, str]:
        """Return the engine's settings for this query only."""
        asked = {
            name: value for name, value in self.params.items() if name not in _OURS and not name.startswith("param_")
        }
        return asked | ({"readonly": "1"} if self.narrows_itself else {})


def address_params(query_string: bytes) -> dict[str, str]:
    """Return the parameters of an address; bytes that are no UTF-8 are kept."""
    text = query_string.decode("ascii", "surrogateescape")
    pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=10_000)
    return dict(pairs)


def new_query_id(params: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Return the name of the query: the client's, or a fresh one."""
    return params.get("query_id") or headers.get("x-clickhouse-query-id") or str(uuid4())
