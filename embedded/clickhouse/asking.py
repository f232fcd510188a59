"""Where a request keeps its statement: in the address, in the body, in both, or in a form with files."""

from typing import NamedTuple

from embedded.clickhouse import forms
from embedded.clickhouse.body import Body
from embedded.clickhouse.external import ExternalTable, external_tables, parameter_names
from embedded.clickhouse.request import Request
from embedded.clickhouse.statement import LONGEST_LEXED_BYTES, insert_with_data


class Asked(NamedTuple):
    """The request with its form's fields, its statement, and the tables that came with it."""

    request: Request
    text: bytes  # of an insert perhaps only the head and the beginning of the data
    tables: list[ExternalTable]


async def asked(request: Request, body: Body) -> Asked:
    """
    Return what is asked; the rest of an insert's data stays in the body.

    Raises:
        ClickHouseError: the form or the compressed body is broken.
        ClientGone: the connection closed before the statement was whole.
    """
    content_type = request.headers.get("content-type", "")
    if edge := forms.boundary(content_type):
        return _from_form(request, forms.parts(await body.rest(), edge))
    begun, whole = await body.first(LONGEST_LEXED_BYTES)
    if whole and content_type.startswith("application/x-www-form-urlencoded"):
        fields = forms.urlencoded(begun)
        request = request._replace(params={**request.params, **fields})
        begun = b"" if fields else begun
    text = _query_param(request)
    text = text + b"\n" + begun if text else begun
    if not whole and insert_with_data(text) is None:
        text += await body.rest()
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
