"""The web application: pages, probes, metrics, documentation; all of them answer from the watch's last snapshot."""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from common.clock import now_ns
from common.heartbeat import VERSION
from common.settings import Settings
from monitoring.access import Access
from monitoring.facts import Overview
from monitoring.metrics import FleetCollector
from monitoring.overview import House, house_of, overview
from monitoring.pages import HERE, Page, Painter, Watching, mount
from monitoring.pipeline import pipeline
from monitoring.probes import mount_probes
from monitoring.watch import Watch

# A new page is a line here, a view of the snapshot, and a template; its JSON and its live updates come with it.
PAGES = (
    Page(
        path="/",
        name="overview",
        title="Overview",
        shortcut="o",
        model=Overview,
        view=overview,
        fragments=("alarms", "map", "groups", "streams", "tables", "programs", "cursors", "events"),
        more=lambda view: {"map": pipeline(view)},
    ),
)


def create_app(settings: Settings, watch: Watch) -> FastAPI:
    """Return the application; whoever calls runs the watch."""
    house = house_of(settings)
    app = FastAPI(title="Tickfleet", version=VERSION, docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.watch = watch
    password = settings.dashboard_password
    app.add_middleware(Access, password=password.get_secret_value() if password else None)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    painter = Painter(PAGES, house)
    for page in PAGES:
        mount(app, page, painter, house)
    mount_probes(app, house)
    _mount_metrics(app, house)
    _mount_papers(app, painter)
    return app


def _mount_metrics(app: FastAPI, house: House) -> None:
    async def metrics(watch: Watching) -> Response:
        registry = CollectorRegistry()
        registry.register(FleetCollector(watch.snapshot, overview(watch.snapshot, now_ns(), house)))
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
