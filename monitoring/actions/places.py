"""Pages where a person looks before acting: one venue's symbols, and the end of a program's log."""

import asyncio
import csv
import io

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from common.clickhouse import Store, connect
from common.errors import StoreRefused, Unreachable
from common.redis_streams import RedisError
from monitoring.access import viewer_of
from monitoring.actions.action import Tools
from monitoring.actions.forms import query_of
from monitoring.doing.connections import tried
from monitoring.doing.deeds import NotDone
from monitoring.doing.listings import Listed
from monitoring.doing.programs import tail
from monitoring.doing.symbols import chosen, history
from monitoring.painter import Painter

FAULTS = (NotDone, RedisError, OSError, Unreachable, StoreRefused)
MOST_SHOWN = 500  # symbols on a page; the rest is in the export


class Places:
    """The pages, and what they ask."""

    def __init__(self, tools: Tools, painter: Painter) -> None:
        self._tools = tools
        self._painter = painter

    async def venue(self, request: Request) -> Response:
        """Return what a program records, what it might, what was chosen before, and whether its venue answers."""
        query = query_of(request)
        program, text, redis = query.get("program", ""), query.get("search", ""), self._tools.desk.redis
        problem, found, now, before = "", list[Listed](), None, []
        try:
            now = await chosen(redis, self._tools.desk.settings, program)
            before = await history(redis, program)
            found = await self._search(program, text) if text else []
        except FAULTS as error:
            problem = str(error)
        facts = {
            "program": program,
            "search": text,
            "now": now,
            "shown": now.symbols[:MOST_SHOWN] if now else (),
            "history": before,
            "found": found,
            "problem": problem,
            "tried": await tried(self._tools.desk.settings, program) if _is_tried(request) else None,
            "is_operator": viewer_of(request).role == "operator",
        }
        return HTMLResponse(self._painter.text("actions/venue.html", **facts), headers={"cache-control": "no-store"})

    async def _search(self, program: str, text: str) -> list[Listed]:
        settings = self._tools.desk.settings
        return await self._tools.listings.search(
            self._tools.desk.redis, lambda: Store(connect(settings)), program, text[:200]
        )

    async def export(self, request: Request) -> Response:
        """Return the symbols of a program as a CSV."""
        program = query_of(request).get("program", "")
        try:
            now = await chosen(self._tools.desk.redis, self._tools.desk.settings, program)
        except FAULTS as error:
            return Response(f"{error}\n", status_code=404, media_type="text/plain")
        text = io.StringIO()
        csv.writer(text).writerows([("symbol", "program"), *((one, program) for one in now.symbols)])
        headers = {"content-disposition": f'attachment; filename="{program}.csv"'}
        return Response(text.getvalue(), media_type="text/csv", headers=headers)

    async def log(self, request: Request) -> Response:
        """Return the end of a program's log."""
        program, problem, lines = query_of(request).get("program", ""), "", ""
        try:
            lines = await asyncio.to_thread(tail, self._tools.desk.around.supervisor, program)
        except FAULTS as error:
            problem = str(error)
        facts = {"program": program, "problem": problem, "lines": lines}
        return HTMLResponse(self._painter.text("actions/log.html", **facts), headers={"cache-control": "no-store"})


def _is_tried(request: Request) -> bool:
    """Return whether a person wants the venue to be asked now; a foreign page may not have us ask anybody."""
    return bool(request.query_params.get("try")) and request.headers.get("sec-fetch-site") != "cross-site"


def mount_places(app: FastAPI, tools: Tools, painter: Painter) -> None:
    """Add the pages."""
    places = Places(tools, painter)

    async def venue(request: Request) -> Response:
        return await places.venue(request)

    async def export(request: Request) -> Response:
        return await places.export(request)

    async def log(request: Request) -> Response:
        return await places.log(request)

    app.get("/venues/symbols", include_in_schema=False)(venue)
    app.get("/venues/symbols.csv", include_in_schema=False)(export)
    app.get("/system/log", include_in_schema=False)(log)
