"""What becomes of a frame that means nothing: its bytes are set aside, and the question behind it is asked again."""

from collections.abc import Iterator

from common.backoff import delays_s
from common.codec import Origin, dead_letter
from common.errors import BadAnswer, WireError
from common.log import logger
from ingesters.feed import Frame
from ingesters.ingester import Ingester
from ingesters.questions import Questions

log = logger("ingest")


class Unheard:
    """The frames of one connection that could not be heard."""

    def __init__(self, work: Ingester, questions: Questions) -> None:
        self._work = work
        self._questions = questions
        self._pauses: dict[str, Iterator[float]] = {}  # of questions that got no good answer, by key

    def take(self, frame: Frame, error: WireError | BadAnswer) -> None:
        """Set the bytes of a frame aside if they are unreadable; if it was an answer, ask again."""
        if isinstance(error, WireError):
            self._set_aside(error, frame)
            self._ask_again(frame, str(error), None)
        else:
            self._ask_again(frame, str(error), error.retry_after_s)

    def answered(self, key: str) -> None:
        """Hear that a question has got a good answer."""
        self._questions.asked.pop(key, None)
        self._pauses.pop(key, None)

    def _set_aside(self, error: WireError, frame: Frame) -> None:
        if frame.reply_to is not None and frame.reply_to in self._pauses:
            return  # the same bad answer again; the first one is kept
        venue, figures = self._work.venue, self._work.figures
        place = f"{frame.wire} {frame.reply_to or ''} {frame.received_ns}"
        origin = Origin(venue.program, "", place, frame.received_ns, venue.name)
        self._work.sink.put(dead_letter(error.payload, origin, reason=error.reason))
        figures.failed(error)
        figures.counters["dead_letters_total"] += 1
        log.warning("ingest.unreadable", venue=venue.name, reason=error.reason, bytes=len(error.payload))

    def _ask_again(self, frame: Frame, reason: str, retry_after_s: float | None) -> None:
        fetch = self._questions.asked.get(frame.reply_to or "")
        if fetch is None:
            return
        pause_s = retry_after_s or next(self._pauses.setdefault(fetch.key, delays_s()))
        self._work.figures.failed(reason)
        log.warning("ingest.asking_again", key=fetch.key, pause_s=round(pause_s, 2), reason=reason)
        self._questions.ask(fetch, pause_s=pause_s)
