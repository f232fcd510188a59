"""Telling people: by webhook, Telegram, or any address that Apprise knows; a notifier that is down delays nothing."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from common.backoff import delays_s
from common.log import logger
from common.settings import Settings

MOST_WAITING = 200  # messages of one notifier: past it the oldest goes, and that is told
ANSWER_S = 10.0
FAREWELL_S = 1.0
TRIES = 5

log = logger("notify")


class NotTold(Exception):
    """A message did not arrive. What next: it is sent again a few times, then given up, and that is logged."""


@dataclass(frozen=True)
class Message:
    """What is told: a title, words, and the facts for programs that listen."""

    title: str
    words: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Notifier:
    """A way to somebody; `send` blocks and raises NotTold."""

    name: str
    send: Callable[[Message], None]


def notifiers(settings: Settings) -> list[Notifier]:
    """Return the ways that the settings name."""
    ways = []
    if settings.notification_url:
        url = settings.notification_url
        ways.append(
            Notifier(
                "webhook",
                lambda message: _post(url, {"title": message.title, "message": message.words, **message.facts}),
            )
        )
    if settings.telegram_token and settings.telegram_chat_id:
        token, chat = settings.telegram_token.get_secret_value(), settings.telegram_chat_id
        url = f"{settings.telegram_url}/bot{token}/sendMessage"
        ways.append(
            Notifier(
                "telegram",
                lambda message: _post(
                    url, {"chat_id": chat, "text": f"{message.title}\n{message.words}"}, secret=token
                ),
            )
        )
    if settings.notify_urls:
        addresses = [word.strip() for word in settings.notify_urls.get_secret_value().split(",") if word.strip()]
        ways.append(Notifier("apprise", lambda message: _apprise(addresses, message)))
    return ways


def _post(url: str, body: Mapping[str, Any], *, secret: str = "") -> None:
    try:
        response = requests.post(url, json=dict(body), timeout=ANSWER_S)
    except requests.RequestException as error:
        raise NotTold(_hidden(str(error), secret)) from None
    if not response.ok:
        raise NotTold(_hidden(f"HTTP {response.status_code}: {response.text[:200]}", secret))


def _hidden(text: str, secret: str) -> str:
    return text.replace(secret, "***") if secret else text


def _apprise(addresses: Sequence[str], message: Message) -> None:
    from apprise import Apprise  # noqa: PLC0415  half a second and 30 MB that most never need

    ways = Apprise()
    for address in addresses:
        ways.add(address)
    if not ways.notify(title=message.title, body=message.words):
        raise NotTold("at least one address of NOTIFY_URLS did not take it")


class Post:
    """The messages on their way, one queue for each notifier."""

    def __init__(self, ways: Sequence[Notifier], farewell: Message | None = None) -> None:
        self._farewell = farewell
        self._queues = {way.name: (way, asyncio.Queue[Message](MOST_WAITING)) for way in ways}
        self.failed: dict[str, str] = {}

    def put(self, message: Message) -> None:
        """Have everybody told, soon."""
        for way, queue in self._queues.values():
            if queue.full():
                queue.get_nowait()
                log.warning("notify.dropped", notifier=way.name, reason=f"{MOST_WAITING} messages wait already")
            queue.put_nowait(message)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; the farewell and what waits then have one second."""
        sending = [asyncio.create_task(self._send(way, queue)) for way, queue in self._queues.values()]
        await stop.wait()
        if self._farewell is not None:
            self.put(self._farewell)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                for _, queue in self._queues.values():
                    await queue.join()
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)

    async def _send(self, way: Notifier, queue: "asyncio.Queue[Message]") -> None:
        while True:
            await self._insist(way, await queue.get())
            queue.task_done()

    async def _insist(self, way: Notifier, message: Message) -> None:
        for attempt, pause_s in enumerate(delays_s(first_s=1.0, ceiling_s=60.0), start=1):
            try:
                await asyncio.to_thread(way.send, message)
            except NotTold as error:
                self.failed[way.name] = str(error)
                log.warning("notify.failed", notifier=way.name, attempt=attempt, reason=str(error))
                if attempt == TRIES:
                    return
                await asyncio.sleep(pause_s)
            else:
                self.failed.pop(way.name, None)
                return
