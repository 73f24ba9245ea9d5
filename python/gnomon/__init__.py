"""gnomon shows what Python programs really do, and keeps records that survive the program.

A spool is a directory of segments; each process writes its own. Recording is mostly started from outside
(`gnomon run`), or here, for this process and its children:

    >>> with gnomon.record() as recording:              # doctest: +SKIP
    ...     report()
    >>> print(recording.answer())                       # doctest: +SKIP

Reading is done here:

    >>> import gnomon
    >>> spool = gnomon.Spool("/path/to/spool")          # doctest: +SKIP
    >>> for record in spool.records():                  # doctest: +SKIP
    ...     print(record.kind, record.target, record.count)
    >>> duckdb.sql("select kind, sum(count) from spool group by kind")  # doctest: +SKIP
"""

from ._native import (
    Fault,
    PolicyDenied,
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

# `typing` takes longer to load than all else that `gnomon run` needs of us.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .session import Recording, Stats, flush, record, start, stats, stop

__all__ = [
    "Fault",
    "PolicyDenied",
    "Process",
    "Record",
    "Recording",
    "Records",
    "Run",
    "Segment",
    "Spool",
    "Stats",
    "Tail",
    "columns",
    "default_spool",
    "flush",
    "process_id",
    "record",
    "seal",
    "start",
    "stats",
    "stop",
]

_OF_SESSION = frozenset(("Recording", "Stats", "flush", "record", "start", "stats", "stop"))


def __getattr__(name: str) -> object:
    """Loads what `gnomon run` does not need when it is asked for: people wait for that."""
    if name in _OF_SESSION:
        from . import session

        return getattr(session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: object) -> None:
    """What `%load_ext gnomon` calls: adds `%%gnomon`."""
    from .magic import load

    load(shell)
