"""What a run gives: what is lost, doubled and out of order, and what was told."""

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """
    What was found; `told` is what is missing and was written down as missing.

    `unheard_quotes` were published by a venue that keeps none, while nobody recorded: what a spool makes fewer of.
    """

    rows: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    told: int = 0
    unheard_quotes: int = 0

    @property
    def is_clean(self) -> bool:
        """Return whether nothing is missing without a word, nothing is there twice and nothing out of order."""
        return not (self.lost or self.doubled or self.disordered or self.unproven)
