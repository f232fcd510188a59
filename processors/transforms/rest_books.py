"""Statistics of books that were asked for whole: each stands for itself, at the time that the venue gives it."""

from dataclasses import replace

import numpy as np
import polars as pl

from common.book_engine import Engine, engine
from common.book_shapes import ROW_FIELDS, AT, ROW_RECEIVED, NOWHERE
from processors.processor import Made
