"""Form bodies: parameters, and the files that become external tables."""

import re
from email.message import Message
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from embedded.clickhouse.errors import BAD_ARGUMENTS, ClickHouseError

_FORM: Final = re.compile(rb"\w+=[^&\s]*(?:&\w+=[^&\s]*)*\s*\Z")


class Part(NamedTuple):
    """One field or file of a multipart body."""

    name: str
    is_file: bool
    data: bytes


def boundary(content_type: str) -> str:
    """Return the boundary of a multipart form, "" for any other type."""
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_type() != "multipart/form-data":
        return ""
    return str(header.get_param("boundary") or "")


def parts(body: bytes, edge: str) -> list[Part]:
    """
    Return the parts of a multipart form.

    Raises:
        ClickHouseError: the body ends before its closing boundary, or a part has no name.
    """
    mark = b"--" + edge.encode("latin-1", "replace")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004  (before the first mark, and after the last)
        raise ClickHouseError(BAD_ARGUMENTS, "multipart body is broken: expected its closing boundary")
    return [_part(piece) for piece in pieces[1:-1]]


def urlencoded(body: bytes) -> dict[str, str]:
    """Return the fields of a form, {} if the body is SQL: curl calls everything a form."""
    if not _FORM.match(body):
        return {}
    fields = dict(parse_qsl(body.decode("ascii", "surrogateescape").strip(), True, errors="surrogateescape"))  # noqa: FBT003  (keep_blank_values)
    return fields if "query" in fields else {}


def _part(piece: bytes) -> Part:
    head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers = Message()
    for line in head.split(b"\r\n"):
        name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
        headers[name] = value.strip()
    field = headers.get_param("name", header="content-disposition")
    if not isinstance(field, str) or not field:
        raise ClickHouseError(BAD_ARGUMENTS, "multipart body is broken: expected a name for each part")
    file = headers.get_param("filename", header="content-disposition")
    return Part(field, file is not None, data)
