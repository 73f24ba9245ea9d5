"""gnomon shows what Python programs really do, and keeps records that survive the program.

A spool is a directory of segments; each process writes its own. Recording is started from outside
(`gnomon run`), reading is done here:

    >>> import gnomon
    >>> spool = gnomon.Spool("/path/to/spool")          # doctest: +SKIP
    >>> for record in spool.records():                  # doctest: +SKIP
    ...     print(record.kind, record.target, record.count)
    >>> duckdb.sql("select kind, sum(count) from spool group by kind")  # doctest: +SKIP
"""

from ._native import (
    Fault,
    Process,
    Record,
    Records,
    Run,
    Segment,
    Spool,
    Tail,
    columns,
    process_id,
    seal,
)
from .places import default_spool

__all__ = [
    "Fault",
    "Process",
    "Record",
    "Records",
    "Run",
    "Segment",
    "Spool",
    "Tail",
    "columns",
    "default_spool",
    "process_id",
    "seal",
]
