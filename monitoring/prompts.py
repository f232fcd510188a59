"""Commands as pages show them: whatever stands in their words, a shell that they are pasted into runs none of it."""

import shlex

LIVE_IN_QUOTES = frozenset('"$`\\!\n')  # what double quotes would not keep as it is


def word(text: str) -> str:
    """Return a word as a shell takes it; one that holds single quotes stays readable where double ones can keep it."""
    return f'"{text}"' if "'" in text and not LIVE_IN_QUOTES & set(text) else shlex.quote(text)


def fleet(*words: str) -> str:
    """Return a command of ours."""
    return " ".join(["./fleet", *map(word, words)])


def sql_text(text: str) -> str:
    """Return a text as ClickHouse takes it in a statement."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
