"""Questions to ClickHouse as pages ask them: with words that all have in common, and never for long."""

from string import Template

BOUNDED = "SETTINGS max_execution_time = 4"  # seconds
THIS = "venue = {venue:String} AND symbol = {symbol:String}"


def question(text: str, **words: str) -> str:
    """Return a question with `$bounded`, `$this` and other words of ours filled in; values are parameters."""
    return Template(text).substitute(words, bounded=BOUNDED, this=THIS)
