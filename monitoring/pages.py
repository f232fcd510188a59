"""The ways to a page: HTML, JSON, live fragments, and JSON lines of what it shows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from common.clock import now_ns
from monitoring.desk import Desk
from monitoring.disks import disk_used
from monitoring.exports import exported
from monitoring.firing import firing_of
from monitoring.overview import House, Overviews
from monitoring.page import Look, NotThere, Page
from monitoring.painter import Canvas, Painter
from monitoring.watch import Snapshot, Watch

RETRY_MS = 1000


@dataclass(frozen=True)
class Studio:
    """What all pages share."""

    painter: Painter
    desk: Desk
    house: House
    overviews: Overviews

    async def view(self, page: Page, given: object, shot: Snapshot) -> Any:  # noqa: ANN401  page.model is its type
        """Return what a page shows of a snapshot."""
        found = await page.ask(self.desk, given, shot)
        return page.view(Look(shot, now_ns(), self.house, given, found))

    async def canvas(self, page: Page, given: object, shot: Snapshot, request: Request) -> Canvas:
        """Return what is painted of a page."""
        return await self.framed(await self.view(page, given, shot), given, shot, request, page)

    async def framed(self, view: object, given: object, shot: Snapshot, request: Request, page: Page) -> Canvas:
        """Return what is painted of a view."""
        status = self.overviews.of(shot, now_ns())
        path = page.path if page.path == "/" else request.url.path.removeprefix("/live")
        return Canvas(view, given, status, firing_of(shot), await disk_used(self.desk), path, request.url.query)


def watch_of(request: Request) -> Watch:
    """Return the one watch of this application."""
    found: Watch = request.app.state.watch
    return found


Watching = Annotated[Watch, Depends(watch_of)]


def mount(app: FastAPI, page: Page, studio: Studio) -> None:
    """Give a page its routes: `<path>`, `/api/v1<path>`, `/live<path>`, and `<path>/export` where it has lines."""

    async def show(request: Request, watch: Watching, given: Annotated[object, Depends(page.given)]) -> HTMLResponse:
        canvas = await studio.canvas(page, given, watch.snapshot, request)
        return HTMLResponse(studio.painter.page(page, canvas), headers={"cache-control": "no-store"})

    async def answer(watch: Watching, given: Annotated[object, Depends(page.given)]) -> Any:  # noqa: ANN401  page.model
        return await studio.view(page, given, watch.snapshot)

    async def live(
        request: Request, watch: Watching, given: Annotated[object, Depends(page.given)]
    ) -> AsyncIterator[ServerSentEvent]:
        sent: dict[str, str] = {}
        shot: Snapshot | None = watch.snapshot
        while shot is not None:
            try:
                painted = await _fragments(page, given, shot, request, studio)
            except NotThere:
                return
            changed = {name: html for name, html in painted.items() if sent.get(name) != html}
            yield ServerSentEvent(raw_data=msgspec.json.encode(changed).decode(), event="fragments", retry=RETRY_MS)
            sent = painted
            shot = await watch.newer_than(shot.number)

    async def export(
        watch: Watching,
        given: Annotated[object, Depends(page.given)],
        format: Annotated[Literal["jsonl", "csv"], Query()] = "jsonl",  # noqa: A002  its name in addresses
    ) -> StreamingResponse:
        view = await studio.view(page, given, watch.snapshot)
        lines, kind = exported(page.lines(view) if page.lines else (), format)
        headers = {"content-disposition": f'attachment; filename="{page.name}.{format}"'}
        return StreamingResponse(lines, media_type=kind, headers=headers)

    if page.lines is not None:
        app.get(f"{page.path}/export", tags=["pages"], summary=f"{page.title}: what is shown, as JSON lines or CSV")(
            export
        )
    about = f"{page.title}, as JSON"
    app.get(f"/api/v1{page.address}", response_model=page.model, tags=["pages"], summary=about)(answer)
    app.get(f"/live{page.address}", response_class=EventSourceResponse, include_in_schema=False)(live)
    app.get(page.path, include_in_schema=False, name=page.name)(show)


async def _fragments(page: Page, given: object, shot: Snapshot, request: Request, studio: Studio) -> dict[str, str]:
    address = f"{request.url.path}?{request.url.query}"
    held = studio.painter.held(address, shot.number)
    if held is not None:
        return held
    canvas = await studio.canvas(page, given, shot, request)
    return studio.painter.fragments(page, canvas, address, shot.number)
