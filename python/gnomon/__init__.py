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

# `typing` takes longer to load than all else that `gnomon run` needs of us.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._native import (
        Fault,
        FileUses,
        Fold,
        Hook,
        HookFile,
        Live,
        LiveProcess,
        Look,
        PolicyDenied,
        Process,
        Record,
        Records,
        RecordStream,
        Run,
        Segment,
        Spool,
        Startup,
        Table,
        Tables,
        Tail,
        columns,
        process_id,
        seal,
    )
    from .places import default_spool
    from .policy import PolicyError
    from .session import Recording, Stats, enforce, flush, record, start, stats, stop

__all__ = [
    "Fault",
    "FileUses",
    "Fold",
    "Hook",
    "HookFile",
    "Live",
    "LiveProcess",
    "Look",
    "PolicyDenied",
    "PolicyError",
    "Process",
    "Record",
    "RecordStream",
    "Recording",
    "Records",
    "Run",
    "Segment",
    "Spool",
    "Startup",
    "Stats",
    "Table",
    "Tables",
    "Tail",
    "columns",
    "default_spool",
    "enforce",
    "flush",
    "process_id",
    "record",
    "seal",
    "start",
    "stats",
    "stop",
]

_OF_SESSION = frozenset(("Recording", "Stats", "enforce", "flush", "record", "start", "stats", "stop"))


def __getattr__(name: str) -> object:
    """Loads a name where it is asked for: pytest imports this package in every run, for its plugin."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _OF_SESSION:
        from . import session as home
    elif name == "PolicyError":
        from . import policy as home  # type: ignore[no-redef]
    elif name == "default_spool":
        from . import places as home  # type: ignore[no-redef]
    else:
        from . import _native as home  # type: ignore[no-redef]
    globals()[name] = found = getattr(home, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: object) -> None:
    """What `%load_ext gnomon` calls: adds `%%gnomon`."""
    from .magic import load

    load(shell)
