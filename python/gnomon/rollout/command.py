"""The command lines of install and uninstall: the same for `gnomon` and for the payload's own program."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .errors import RolloutError, RolloutUsageError
from .layout import ROOT, Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .outcome import Outcome

INSTALL = (
    "Brings gnomon into base interpreters: all that they run is then recorded, in all their environments and "
    "for all users. `gnomon uninstall` leaves every file as it was."
)
UNINSTALL = "Takes gnomon out of interpreters: every file is then as it was before `gnomon install`."


def _configure(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help="an interpreter, or an environment")
    parser.add_argument("--all", action="store_true", help="every interpreter of this machine")
    parser.add_argument("--here", action="store_true", help="this environment, for yourself; needs no root")
    parser.add_argument("--prefix", metavar="DIR", help=f"where gnomon's own files are (default: {ROOT})")
    parser.add_argument(
        "--dry-run", action="store_true", help=f"say what {verb} would do, and change nothing"
    )
    parser.add_argument("--json", action="store_true", help="the outcome as JSON")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def configure_install(parser: argparse.ArgumentParser) -> None:
    """The options of `install`."""
    _configure(parser, "install")
    parser.add_argument(
        "--config", metavar="FILE", help="the configuration (default: /etc/gnomon/gnomon.toml)"
    )
    parser.add_argument(
        "--policy", metavar="FILE", action="append", default=[], help="a policy to obey; may be given again"
    )
    parser.add_argument("--observe", action="store_true", help="say what policies would do, and do nothing")
    parser.add_argument("--spool", metavar="DIR", help="where records go (default: /var/spool/gnomon)")
    parser.add_argument("--group", default="gnomon", help="the group that may read records (default: gnomon)")
    parser.add_argument(
        "--no-timer", action="store_true", help="do not have records kept in bounds each hour"
    )
    parser.add_argument(
        "--strong",
        nargs="?",
        const="print",
        choices=("print", "system"),
        help="before all of Python: say what an image needs, or (=system) preload the library everywhere",
    )


def configure_uninstall(parser: argparse.ArgumentParser) -> None:
    """The options of `uninstall`."""
    _configure(parser, "uninstall")
    parser.add_argument("--purge", action="store_true", help="remove the records, too")


def install(options: argparse.Namespace) -> int:
    """Runs `install`, and returns the exit code: 1 when something that should be covered is not."""
    from . import here
    from .install import Install, Options, last_line

    _check(options)
    if options.here:
        return _tell(options, here.install(options.spool, is_dry=options.dry_run))
    work = Install(
        Options(
            pythons=tuple(map(os.path.abspath, options.pythons)),
            policies=tuple(options.policy),
            is_observed=options.observe,
            spool=options.spool,
            prefix=options.prefix,
            config=options.config,
            group=options.group,
            has_timer=not options.no_timer,
            strong=options.strong,
        )
    )
    if options.dry_run:
        planned = work.plan()
        return _tell(options, planned, f"{last_line(planned)}; nothing was changed")
    if options.all and not options.yes:
        _ask(work.plan())
    outcomes = work.carry_out()
    return _tell(options, outcomes, last_line(outcomes), "`gnomon doctor` tries whether it works")


def uninstall(options: argparse.Namespace) -> int:
    """Runs `uninstall`, and returns the exit code: 1 when something is left that should not be."""
    from . import here
    from .uninstall import Uninstall

    _check(options)
    if options.here:
        return _tell(options, here.uninstall(is_dry=options.dry_run))
    work = Uninstall(Layout.at(options.prefix), is_purged=options.purge)
    pythons = tuple(map(os.path.abspath, options.pythons))
    if options.dry_run:
        return _tell(options, work.plan(pythons), "nothing was changed")
    outcomes = work.carry_out(pythons)
    return _tell(options, outcomes, _last_line(options, outcomes))


def _last_line(options: argparse.Namespace, outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return f"nothing is installed in {options.prefix or ROOT}"
    if any(one.is_failure for one in outcomes):
        return "not all of it could be taken out: see above"
    return "gnomon is taken out"


def _check(options: argparse.Namespace) -> None:
    if sum((bool(options.pythons), options.all, options.here)) != 1:
        raise RolloutUsageError(
            "no interpreter is named", hint="say --all, --here, or the paths of interpreters"
        )


def _ask(plan: Sequence[Outcome]) -> None:
    from .outcome import as_lines

    if not sys.stdin.isatty():
        raise RolloutUsageError("cannot ask whether to go on", hint="say --yes")
    print("\n".join(as_lines(one for one in plan if one.state != "inherits")))
    print("Go on? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RolloutError("nothing was changed")


def _tell(options: argparse.Namespace, outcomes: Sequence[Outcome], *last: str) -> int:
    from .outcome import as_json, as_lines

    is_right = not any(one.is_failure for one in outcomes)
    if options.json:
        print(as_json(outcomes, ok=is_right))
    else:
        lines = as_lines(one for one in outcomes if one.state != "inherits")
        print("\n".join([*lines, *last]))
    return 0 if is_right else 1
