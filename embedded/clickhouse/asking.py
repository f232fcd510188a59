"""Where a request keeps its statement: in the address, in the body, in both, or in a form with files."""

from typing import Final, NamedTuple

from embedded.clickhouse import forms
from embedded.clickhouse.body import Body
from embedded.clickhouse.errors import SYNTAX_ERROR, ClickHouseError
from embedded.clickhouse.external import ExternalTable, external_tables, parameter_names
from embedded.clickhouse.request import Request
from embedded.clickhouse.statement import LONGEST_LEXED_BYTES, insert_with_data

_LONGEST_FORM_BYTES: Final = 1 << 30
_TOO_LONG: Final = (
    "Syntax error: failed at position {} (end of query): "
    "Max query size exceeded (can be increased with the `max_query_size` setting)"
)


class Asked(NamedTuple):
    """The request with its form's fields, its statement, and the tables that came with it."""

    request: Request
    text: bytes  # of an insert perhaps only the head and the beginning of the data
    tables: list[ExternalTable]


async def asked(request: Request, body: Body, longest_bytes: int) -> Asked:
    """
    Return what is asked; the rest of an insert's data stays in the body.

    Args:
        request: with the parameters of its address.
        body: not yet read.
        longest_bytes: how long a statement may be, without an insert's data.

    Raises:
        ClickHouseError: the statement is too long, the form or the compressed body is broken.
        ClientGone: the connection closed before the statement was whole.
    """
    content_type = request.headers.get("content-type", "")
    if edge := forms.boundary(content_type):
        return _from_form(request, forms.parts((await body.first(_LONGEST_FORM_BYTES))[0], edge))
    begun, whole = await body.first(LONGEST_LEXED_BYTES)
    if whole and content_type.startswith("application/x-www-form-urlencoded"):
        fields = forms.urlencoded(begun)
        request = request._replace(params={**request.params, **fields})
        begun = b"" if fields else begun
    text = _query_param(request)
    text = text + b"\n" + begun if text else begun
    if insert_with_data(text) is None:
        if not whole:
            more, whole = await body.first(longest_bytes)
            text += more
        if not whole or len(text) > longest_bytes:
            raise ClickHouseError(SYNTAX_ERROR, _TOO_LONG.format(longest_bytes))
    return Asked(request, text, [])


def _from_form(request: Request, parts: list[forms.Part]) -> Asked:
    fields = {part.name: part.data.decode("utf-8", "surrogateescape") for part in parts if not part.is_file}
    params = {**request.params, **fields}
    tables = external_tables(parts, params)
    described = parameter_names(tables)
    request = request._replace(params={name: value for name, value in params.items() if name not in described})
    return Asked(request, _query_param(request), tables)


def _query_param(request: Request) -> bytes:
    return request.params.get("query", "").encode("utf-8", "surrogateescape")
