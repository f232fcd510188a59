"""One file per venue: what it answers, and how it is refused. Where its data comes from is not its business."""
