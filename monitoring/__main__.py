"""`python -m monitoring`: the dashboard, as a program of the fleet."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Iterator

import uvicorn
from dotenv import dotenv_values

from common import redis_streams
from common.errors import BadSettings
from common.heartbeat import Figures, beat
from common.lifecycle import run
from common.redis_readings import RedisReader
from common.settings import Settings
from monitoring.alerting import Alerting, tell_new_data
from monitoring.app import create_app
from monitoring.desk import Around, Desk
from monitoring.key_figures import KeyFigures, steady_clock
from monitoring.notices import FAREWELL, Programs
from monitoring.notifiers import Post, notifiers
from monitoring.store_readings import StoreReader
from monitoring.watch import Watch

PROGRAM = "dashboard"
FAREWELL_S = 3


class Server(uvicorn.Server):
    """Uvicorn without its own signal handlers: the fleet's lifecycle has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    with _listen(settings) as listener:
        redis = redis_streams.connect(settings)
        watch = Watch(RedisReader(redis), StoreReader.of(settings))
        desk = Desk(settings, redis, Around(os.environ, dotenv_values(".env", interpolate=False)))
        app = create_app(settings, watch, desk)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=FAREWELL_S,
        )
        server = Server(config)
        post = Post(notifiers(settings), FAREWELL)
        programs = Programs(desk.around.supervisor, redis)
        key_figures = KeyFigures(settings, redis, desk.past, steady_clock())
        alerting = Alerting(settings, redis, watch, post, programs)
        figures = Figures(PROGRAM, PROGRAM, "dashboard", state="running")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch.run(stop))
            tasks.create_task(app.state.painter.warm())
            tasks.create_task(beat(redis, figures, stop))
            tasks.create_task(key_figures.follow(watch))
            tasks.create_task(key_figures.recall(desk, stop))
            tasks.create_task(alerting.run())
            tasks.create_task(programs.run(watch, post, stop))
            tasks.create_task(post.run(stop))
            if settings.notification_url:
                tasks.create_task(tell_new_data(settings, watch, post, stop))
            tasks.create_task(server.serve(sockets=[listener]))
            await stop.wait()
            server.should_exit = True
        app.state.sql_box.close()
        await desk.close()
        await redis.aclose()


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.dashboard_host, settings.dashboard_port
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise BadSettings([f"DASHBOARD_PORT={port} on {host} cannot be opened: {error.strerror}"]) from error


if __name__ == "__main__":
    sys.exit(run(PROGRAM, main))
