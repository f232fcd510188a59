"""/sql: an address fills the box, and only a form of ours that is sent runs what stands in it."""

import asyncio
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from common.errors import StoreRefused
from monitoring.access import viewer_of
from monitoring.actions.forms import Form, Tokens, TooLarge, form_of, is_from_here
from monitoring.exports import exported
from monitoring.page import Page
from monitoring.pages import Studio, watch_of
from monitoring.sql_box import Busy, NoTable, SqlBox, Table, why
from monitoring.views import sql

OK, FORBIDDEN, TOO_LARGE, UNPROCESSABLE, UNAVAILABLE = 200, 403, 413, 422, 503
FORMS = ("csv", "jsonl")


class SqlPage:
    """The page of the box; whoever may look may ask."""

    def __init__(self, box: SqlBox, page: Page, studio: Studio) -> None:
        self._box = box
        self._page = page
        self._studio = studio
        self._tokens = Tokens()

    async def show(self, request: Request, query: str) -> Response:
        """Return the box with a statement in it, which is not run."""
        return await self._painted(request, query)

    async def run(self, request: Request) -> Response:
        """Run the statement of a form and return what it gave, as the page or as a file."""
        try:
            form = await form_of(request)
        except TooLarge:
            return PlainTextResponse("this form is larger than any of ours\n", status_code=TOO_LARGE)
        if refusal := self._refusal(request, form):
            return PlainTextResponse(f"{refusal}\n", status_code=FORBIDDEN)
        query, table, problem, status = form.get("query", ""), None, "", OK
        try:
            table = await self._box.ask(query)
        except NoTable as error:
            problem, status = str(error), UNAVAILABLE if isinstance(error, Busy) else UNPROCESSABLE
        except StoreRefused as error:
            problem, status = why(error, query), UNPROCESSABLE if error.code else UNAVAILABLE
        if table is not None and form.get("as") in FORMS:
            return _file(table, form["as"])
        return await self._painted(request, query, table=table, problem=problem, status=status)

    def _refusal(self, request: Request, form: Form) -> str:
        if not is_from_here(request):
            return "this form did not come from a page of this dashboard"
        if not self._tokens.fits(viewer_of(request), self._page.name, form.get("token", "")):
            return "this form is older than the dashboard: load the page again"
        return ""

    async def _painted(
        self, request: Request, query: str, *, table: Table | None = None, problem: str = "", status: int = OK
    ) -> Response:
        facts: dict[str, Any] = {
            "token": self._tokens.of(viewer_of(request), self._page.name),
            "table": table,
            "problem": problem,
            "command": sql.command(query) if query.strip() else "",
            "cell": sql.cell,
            "is_number": sql.is_number,
        }
        shot = watch_of(request).snapshot
        canvas = await self._studio.framed(sql.box(query), sql.Given(query), shot, request, self._page)
        # A large table takes a moment to paint, and others look meanwhile.
        html = await asyncio.to_thread(self._studio.painter.page, self._page, canvas, **facts)
        return HTMLResponse(html, status_code=status, headers={"cache-control": "no-store"})


def mount_sql(app: FastAPI, box: SqlBox, page: Page, studio: Studio) -> None:
    """Add GET and POST of the page; before the pages, whose GET knows of no form."""
    sql_page = SqlPage(box, page, studio)

    async def show(request: Request, given: Annotated[sql.Given, Depends()]) -> Response:
        return await sql_page.show(request, given.query)

    async def run(request: Request) -> Response:
        return await sql_page.run(request)

    app.get(page.path, include_in_schema=False)(show)
    app.post(page.path, include_in_schema=False)(run)


def _file(table: Table, form: str) -> StreamingResponse:
    pieces, kind = exported(sql.lines(table), form)
    headers = {"content-disposition": f'attachment; filename="sql.{form}"'}
    return StreamingResponse(pieces, media_type=kind, headers=headers)
