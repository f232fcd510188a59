"""What we claim, measured beside the plain design, a peer and the limit, in one run."""
