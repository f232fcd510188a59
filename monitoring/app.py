"""The web application: pages, probes, metrics, documentation."""

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from common.clock import monotonic_s, now_ns
from common.heartbeat import VERSION
from common.settings import Settings
from monitoring.access import Access, Doors
from monitoring.actions.action import Tools
from monitoring.actions.places import mount_places
from monitoring.actions.registry import ACTIONS
from monitoring.actions.routes import mount_actions
from monitoring.assets import mount_assets
from monitoring.desk import Desk
from monitoring.doing.listings import Listings
from monitoring.guesses import Guesses
from monitoring.metrics import FleetCollector
from monitoring.overview import House, Overviews, house_of, overview
from monitoring.page import NotThere
from monitoring.pages import Studio, Watching, mount
from monitoring.painter import Painter
from monitoring.probes import mount_probes
from monitoring.registry import PAGES, SQL
from monitoring.sql_box import SqlBox
from monitoring.sql_routes import mount_sql
from monitoring.views.trends import mount_trends
from monitoring.watch import Watch


def create_app(settings: Settings, watch: Watch, desk: Desk) -> FastAPI:
    """Return the application; whoever calls runs the watch and closes the desk."""
    house = house_of(settings)
    app = FastAPI(title="Tickfleet", version=VERSION, docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.watch = watch
    app.add_middleware(Access, doors=Doors.of(settings), guesses=Guesses(monotonic_s))
    studio = Studio(Painter(PAGES), desk, house, Overviews(house))
    app.state.painter = studio.painter
    mount_assets(app, studio.painter.assets)
    app.state.sql_box = SqlBox(settings)
    mount_sql(app, app.state.sql_box, SQL, studio)
    for page in PAGES:
        mount(app, page, studio)
    mount_trends(app, desk.past, settings)
    mount_probes(app, house)
    _mount_metrics(app, house, settings.data_dir)
    _mount_papers(app, studio.painter)
    tools = Tools(desk, Listings(settings))
    mount_actions(app, tools, studio.painter, ACTIONS)
    mount_places(app, tools, studio.painter)
    _mount_absence(app, studio.painter)
    return app


def _mount_metrics(app: FastAPI, house: House, data_dir: Path) -> None:
    async def metrics(watch: Watching) -> Response:
        registry = CollectorRegistry()
        view = overview(watch.snapshot, now_ns(), house)
        registry.register(FleetCollector(watch.snapshot, view, data_dir))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.get("/metrics", tags=["probes"], summary="Every figure for Prometheus", response_class=Response)(metrics)


def _mount_papers(app: FastAPI, painter: Painter) -> None:
    async def docs() -> HTMLResponse:
        return HTMLResponse(painter.text("docs.html"))

    async def about(watch: Watching) -> HTMLResponse:
        redis, store = watch.snapshot.redis, watch.snapshot.store
        versions = {
            "Tickfleet": VERSION,
            "Redis": redis.version if redis else "",
            "ClickHouse": store.version if store else "",
        }
        return HTMLResponse(painter.text("about.html", versions=versions))

    app.get("/docs", include_in_schema=False)(docs)
    app.get("/about", include_in_schema=False)(about)


def _mount_absence(app: FastAPI, painter: Painter) -> None:
    async def absent(request: Request, error: Exception) -> Response:
        if request.url.path.startswith("/api/"):
            return JSONResponse({"detail": str(error)}, status_code=404)
        return HTMLResponse(painter.text("absent.html", words=str(error)), status_code=404)

    app.exception_handler(NotThere)(absent)
