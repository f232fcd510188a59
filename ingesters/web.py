"""HTTP questions, each in a thread that nobody has to wait for: a venue that hangs must not hold up our end."""

import asyncio
import contextlib
from threading import Thread

import requests
from requests.adapters import HTTPAdapter

from ingesters.feed import Fetch

AT_ONCE = 4  # questions of one connection to a venue
CONNECT_S = 5.0
WHOLE = 4  # times the pause that is allowed between two bytes: a venue that trickles is hanging, too


class Web:
    """The HTTP connections to one venue."""

    def __init__(self, answer_s: float) -> None:
        self._answer_s = answer_s
        self._room = asyncio.Semaphore(AT_ONCE)
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=AT_ONCE))
        self._session.mount("https://", HTTPAdapter(pool_maxsize=AT_ONCE))
        self._session.headers["User-Agent"] = "tickfleet"

    async def ask(self, fetch: Fetch) -> requests.Response:
        """
        Return the answer with its whole body.

        Raises:
            TimeoutError: it took too long as a whole.
            requests.RequestException: there was none, or a part of one.
        """
        async with self._room:
            answer: asyncio.Future[requests.Response] = asyncio.get_running_loop().create_future()
            Thread(target=self._work, args=(fetch, answer), name=f"ask {fetch.key}", daemon=True).start()
            async with asyncio.timeout(WHOLE * self._answer_s):
                return await answer

    def close(self) -> None:
        """Close what is open and idle."""
        self._session.close()

    def _work(self, fetch: Fetch, answer: "asyncio.Future[requests.Response]") -> None:
        loop = answer.get_loop()
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            try:
                response = self._send(fetch)
            except Exception as error:  # noqa: BLE001  whatever it is, it is raised where the answer is awaited
                loop.call_soon_threadsafe(_settle, answer, error)
            else:
                loop.call_soon_threadsafe(_settle, answer, response)

    def _send(self, fetch: Fetch) -> requests.Response:
        timeout_s = (min(CONNECT_S, self._answer_s), self._answer_s)
        headers = dict(fetch.headers)
        if fetch.body is None:
            return self._session.get(fetch.url, headers=headers, timeout=timeout_s)
        headers = {"Content-Type": "application/json", **headers}
        return self._session.post(fetch.url, data=fetch.body, headers=headers, timeout=timeout_s)


def _settle(answer: "asyncio.Future[requests.Response]", outcome: requests.Response | Exception) -> None:
    if answer.done():  # nobody waits any more
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
