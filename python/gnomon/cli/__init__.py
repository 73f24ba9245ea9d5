"""The command `gnomon`: one file a verb; the one place that prints errors."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .errors import Failure, UsageError

# In the order of the help.
_VERBS = (
    "run", "attach", "show", "events", "watch", "diff", "startup", "verify", "policy",
    "report", "script", "query", "who", "osv", "sbom",
    "install", "uninstall", "doctor", "pythons", "keep", "bundle",
)  # fmt: skip


class _Parser(argparse.ArgumentParser):
    """Errors as everywhere else in gnomon: `error:` and `hint:`, exit code 2. Options stand anywhere."""

    _is_mixing = False

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """As always; but `PATH --format json SPOOL` is understood, too."""
        asked = self._get_positional_actions()
        is_open = any(action.nargs in ("?", "*") for action in asked)
        if self._is_mixing or len(asked) < 2 or not is_open:
            return super().parse_known_args(args, namespace)
        # By itself argparse gives all places to the first words without a dash, and has none for later ones.
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(message, hint=f"see `{self.prog} --help`")


def _parser(verbs: Sequence[str]) -> _Parser:
    """The parser of these verbs: each is the module of its name, which may bring much with it."""
    parser = _Parser(
        prog="gnomon",
        description="Shows what Python programs really do: files, hosts, libraries, children.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    below = parser.add_subparsers(metavar="VERB", parser_class=_Parser)
    for verb in verbs:
        import_module(f".{verb}", __package__).add_parser(below)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code: 1 for a failure, 2 for bad usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments[:1] == ["run"]:
            from . import run  # alone: it is what people wait for

            return run.main(arguments[1:])
        if arguments[:1] == ["keep"]:
            from ..rollout import keep as keeping  # with a command line of its own: timers run it without us

            return keeping.main(arguments[1:])
        named = [verb for verb in _VERBS if verb in arguments[:1]]
        parser = _parser(named or _VERBS)
        options = parser.parse_args(arguments)
        if options.version:
            print(f"gnomon {_version()}")
            return 0
        if not hasattr(options, "main"):
            parser.print_help()
            return 2
        return int(options.main(options))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        if failure.hint:
            print(f"hint: {failure.hint}", file=sys.stderr)
        return failure.exit_code
    except BrokenPipeError:
        # The reader of our output left (`gnomon events | head`): that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gnomon")
    except PackageNotFoundError:  # run from its source
        return "(not installed)"
