"""`%%gnomon`: says what a notebook's cell did. `%load_ext gnomon` brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .policy import PolicyError
from .session import enforce, record

if TYPE_CHECKING:
    import argparse

    from .session import Mode, Recording

_HELP = "%%gnomon [--spool DIR] [--policy FILE] [--observe] [--justify REASON] [--quiet] [--format text|json]"


def load(shell: Any) -> None:
    """Adds the magic to an IPython shell."""

    def gnomon(line: str, cell: str) -> None:
        __tracebackhide__ = True  # a cell's traceback shows the cell
        _run(shell, line, cell)

    shell.register_magic_function(gnomon, "cell", "gnomon")


def _run(shell: Any, line: str, cell: str) -> None:
    """Runs the cell as it would run alone, recorded, and prints what it did."""
    import argparse
    import shlex

    __tracebackhide__ = True

    parser = argparse.ArgumentParser(prog="%%gnomon", add_help=False, exit_on_error=False)
    parser.add_argument("--spool")
    parser.add_argument("--policy", action="append", default=[])
    parser.add_argument("--observe", action="store_true")
    parser.add_argument("--justify")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    try:
        options = parser.parse_args(shlex.split(line))
    except (argparse.ArgumentError, ValueError, SystemExit) as error:
        print(f"error: {error}\nhint: say `{_HELP}`")
        return
    try:
        recording = _begun(options)
    except (PolicyError, OSError) as error:
        said = str(error) if isinstance(error, PolicyError) else f"error: {error}"
        print(f"{said}\nhint: the cell did not run")
        return
    # Line 1 is the magic's, so that a line has the number that it has on the screen; but another magic of
    # the cell has to come first.
    first = "" if cell.startswith("%%") else "# %%gnomon\n"
    with recording, _silent_traceback(shell):
        result = shell.run_cell(first + cell, store_history=False)
    if not options.quiet:
        from .answer import as_json
        from .screen import as_text

        answer = recording.answer()
        title = "what this cell did"
        print(as_json(answer) if options.format == "json" else as_text(answer, title=title))
    result.raise_error()


def _begun(options: argparse.Namespace) -> Recording:
    if not options.policy:
        return record(options.spool)
    mode: Mode = "observe" if options.observe else "enforce"
    return enforce(options.policy, mode=mode, justify=options.justify, spool=options.spool)


class _silent_traceback:
    """The cell's error is raised again, for the shell to show it once."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def __enter__(self) -> None:
        self.shell.showtraceback = lambda *args, **more: None
        self.shell.showsyntaxerror = lambda *args, **more: None

    def __exit__(self, *exception: object) -> None:
        del self.shell.showtraceback, self.shell.showsyntaxerror
