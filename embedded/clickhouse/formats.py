"""Output formats: the media type of each, and which can be cut between blocks."""

from typing import Final

# One block of these behind another is the whole result: no head, no foot, nothing between.
BLOCKWISE: Final = frozenset(
    {
        "Native",
        "TabSeparated",
        "TSV",
        "TabSeparatedRaw",
        "TSVRaw",
        "Raw",
        "CSV",
        "TSKV",
        "RowBinary",
        "JSONEachRow",
        "JSONLines",
        "NDJSON",
        "JSONStringsEachRow",
        "JSONCompactEachRow",
        "JSONCompactStringsEachRow",
        "LineAsString",
        "RawBLOB",
        "MsgPack",
    }
)
# Statements that are no SELECT and still have a result, even if it is empty.
ANSWERING: Final = frozenset({"SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "KILL", "BACKUP", "RESTORE"})
_TEXT: Final = "text/plain; charset=UTF-8"
_MEDIA: Final = (
    ("JSONEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSONLines", "application/x-ndjson; charset=UTF-8"),
    ("NDJSON", "application/x-ndjson; charset=UTF-8"),
    ("JSON", "application/json; charset=UTF-8"),
    ("TabSeparated", "text/tab-separated-values; charset=UTF-8"),
    ("TSV", "text/tab-separated-values; charset=UTF-8"),
    ("TSKV", "text/tab-separated-values; charset=UTF-8"),
    ("CSVWithNames", "text/csv; charset=UTF-8; header=present"),
    ("CSV", "text/csv; charset=UTF-8; header=absent"),
    ("XML", "application/xml; charset=UTF-8"),
    ("Pretty", _TEXT),
    ("Vertical", _TEXT),
    ("Values", _TEXT),
    ("Markdown", "text/markdown; charset=UTF-8"),
    ("PNG", "image/png"),
)


def media_type(format_name: str) -> str:
    """Return the Content-Type of a format."""
    for prefix, media in _MEDIA:
        if format_name.startswith(prefix):
            return media
    return "application/octet-stream"
