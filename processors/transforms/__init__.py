"""Pure functions: Polars frames in, Polars frames out."""
