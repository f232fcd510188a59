"""What machines ask: alive, ready, and the two answers that scripts of the ancestor know."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse

from common.clock import now_ns
from monitoring.facts import Overview
from monitoring.overview import House, overview
from monitoring.pages import Watching
from monitoring.verdicts import Level


def mount_probes(app: FastAPI, house: House) -> None:
    """Add /healthz, /readyz, /health and /api/status."""
    router = APIRouter(tags=["probes"])

    @router.get("/healthz", summary="Whether this process lives; always 200")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", summary="Whether the fleet works: 200, or 503 with reasons")
    async def readyz(watch: Watching) -> JSONResponse:
        checks = readiness(overview(watch.snapshot, now_ns(), house))
        ready = all(check == "ok" for check in checks.values())
        return JSONResponse({"ready": ready, "checks": checks}, status_code=200 if ready else 503)

    @router.get("/health", summary="Healthy or not, as the ancestor's scripts expect it; always 200")
    async def health(watch: Watching) -> dict[str, Any]:
        checks = readiness(overview(watch.snapshot, now_ns(), house))
        problems = {name: words for name, words in checks.items() if words != "ok"}
        redis = "ok" if checks["redis"] == "ok" else "unreachable"
        return {"status": "unhealthy" if problems else "healthy", "redis": redis, "problems": problems}

    @router.get("/api/status", summary="Stream lengths, cursors and row counts, as the ancestor's scripts expect them")
    async def status(watch: Watching) -> dict[str, Any]:
        view = overview(watch.snapshot, now_ns(), house)
        return {
            "redis_streams": {stream.topic: stream.entries for stream in view.streams},
            "state": {cursor.name.removeprefix("state:"): cursor.value for cursor in view.cursors},
            "clickhouse": {table.name: table.rows for table in view.tables} or None,
            "problems": {s.name: s.verdict.words for s in view.servers if s.verdict.level is Level.DOWN},
        }

    app.include_router(router)


def readiness(view: Overview) -> dict[str, str]:
    """
    Return `ok` or the reason why not, for redis, clickhouse, schema and programs.

    A program that runs and waits for its venue is ready: that the venue is away is the venue's affair.
    """
    checks = {server.name: _reason(server.verdict.level, server.verdict.words) for server in view.servers}
    checks["schema"] = _reason(view.schema.level, view.schema.words)
    missing = [
        f"{process.name}: {process.verdict.words}"
        for process in view.processes
        if process.verdict.level is Level.DOWN or process.state in ("", "starting")
    ]
    checks["programs"] = "; ".join(missing) or ("ok" if view.processes else "none has a heartbeat yet")
    return checks


def _reason(level: Level, words: str) -> str:
    return words if level in (Level.DOWN, Level.UNKNOWN) else "ok"
