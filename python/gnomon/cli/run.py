"""`gnomon run`: runs a program exactly as it would run alone, recorded, and says what it did.

Until the program has ended this imports nothing that is slow to load.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from .. import Run, Spool
from .._native import recording
from ..places import bootstrap, default_spool
from ..program import is_python_file
from .errors import Failure, UsageError

_EPILOG = """\
PROGRAM is a Python script, a directory or archive with a __main__.py, python's own options (-m module,
-c code), or any other command, whose Python descendants are recorded too.

  gnomon run report.py --month 3      gnomon run -m pytest tests
  gnomon run -- bash nightly.sh       gnomon run python3.12 report.py
"""


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spool", metavar="DIR", help="where records go (default: your own spool)")
    parser.add_argument("--quiet", action="store_true", help="do not print the answer at the end")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="form of the answer")
    parser.add_argument(
        "--imports", choices=("top", "all"), default="top", help="one record a package, or one a module"
    )
    parser.add_argument(
        "--native", choices=("auto", "off"), help="watch what native libraries do (default: auto), or not"
    )
    parser.add_argument(
        "--policy", metavar="FILE", action="append", default=[], help="a policy to obey; may be given again"
    )
    parser.add_argument("--observe", action="store_true", help="say what the policy would do, and do nothing")
    parser.add_argument("--justify", metavar="REASON", help="why: for what the policy wants a reason for")
    parser.add_argument(
        "--fail-on",
        choices=("warn", "justify", "deny"),
        help="exit code 3 if the program succeeds, but policy said this or more",
    )
    parser.add_argument("--sarif", metavar="FILE", help="write what policy said, with file and line")
    parser.add_argument(
        "--annotations", choices=("github",), help="print it on stderr as lines that CI shows at the code"
    )
    parser.add_argument(
        "--privacy", action="store_true", help="store home directories and user names under a pseudonym"
    )


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb to the help; `main` parses its own command line: the program's options are not ours."""
    verbs.add_parser("run", help="run a program, record it, and say what it did")


def main(arguments: Sequence[str]) -> int:
    """Runs the verb with what stands after `run`, and returns the program's exit code."""
    parser = argparse.ArgumentParser(
        prog="gnomon run",
        usage="gnomon run [options] [--] PROGRAM [ARGUMENT ...]",
        description="Runs a program as without gnomon, records it, and says on stderr what it did.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    _configure(parser)
    ours, program = _split(parser, list(arguments))
    try:
        options = parser.parse_args(ours)
    except argparse.ArgumentError as error:
        raise UsageError(str(error), hint="see `gnomon run --help`") from None
    if not program:
        raise UsageError("no program to run", hint="say `gnomon run script.py`, or see `gnomon run --help`")
    command = _command(program)
    policy = _compiled(options) if options.policy else None
    spool = os.path.abspath(options.spool or default_spool())
    if options.privacy:
        os.environ["GNOMON_PRIVACY"] = "1"  # for the run's own record too
    outer = _outer()
    if outer is not None:
        _stand_back(*outer, options)
        spool = outer[0]
    outer_run = outer[1] if outer else None
    run = _open_run(spool, program, outer_run)
    if run is None and (options.fail_on or options.sarif):
        raise Failure(
            "cannot check what policy says: nothing can be recorded", hint="name a spool with --spool DIR"
        )
    environment = _environment(spool, run, outer_run, options)
    if policy is not None:
        _obey(policy, spool, run, environment)
    status = _supervise(command, environment, run)
    if run is not None:
        status = _finish(run, Spool(spool, run=outer_run or run.id), options, status)
    return _pass_on(status)


def _outer() -> tuple[str, str | None] | None:
    """The spool into which this process, or what started it, is recorded already, and the run of that."""
    found = recording()
    if found is not None:
        return os.fspath(found[0]), found[1]
    spool, run = os.environ.get("GNOMON_SPOOL"), os.environ.get("GNOMON_RUN")
    return (spool, run) if spool and run and os.path.isabs(spool) and os.path.isdir(spool) else None


def _stand_back(spool: str, run: str | None, options: argparse.Namespace) -> None:
    """One recording is enough: what runs within another run is recorded by that one, where it wants it.

    Nobody is told of a machine where all Pythons are recorded, which is its usual state.
    """
    is_elsewhere = options.spool is not None and not _is_same(options.spool, spool)
    is_of_machine = run is None
    if is_elsewhere or not (options.quiet or is_of_machine):
        instead = f", and not in `{options.spool}`" if is_elsewhere else ""
        print(f"gnomon: recorded already: the records are in `{spool}`{instead}", file=sys.stderr)


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _split(parser: argparse.ArgumentParser, arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own options, and the program: everything from the first word that is not one of ours."""
    takes_value = {name: action.nargs != 0 for action in parser._actions for name in action.option_strings}
    at = 0
    while at < len(arguments):
        word = arguments[at]
        name, has_value, _ = word.partition("=")
        if word == "--":
            return arguments[:at], arguments[at + 1 :]
        if name not in takes_value:
            if word.startswith("--"):
                raise UsageError(f"there is no option `{name}`", hint="see `gnomon run --help`")
            break
        at += 2 if takes_value[name] and not has_value else 1
    return arguments[:at], arguments[at:]


def _command(program: list[str]) -> list[str]:
    first = program[0]
    if first.startswith("-"):
        return [sys.executable, *program]
    if is_python_file(first) or _is_program_directory(first):
        if not os.path.exists(first):
            raise Failure(f"cannot run `{first}`: there is no such file", hint="look at the path")
        return [sys.executable, *program]
    return program


def _is_program_directory(name: str) -> bool:
    """Whether Python runs the directory `name`, which is not only called like a command."""
    return os.path.isfile(os.path.join(name, "__main__.py"))


def _open_run(spool: str, program: list[str], outer: str | None) -> Run | None:
    """The run's own record. Without a spool the program runs all the same, and we say that."""
    try:
        if not os.path.isdir(spool):
            os.makedirs(spool, mode=0o700, exist_ok=True)
        return Run(spool, program, outer)
    except OSError as error:
        reason = error.strerror or str(error)
        print(f"warning: nothing is recorded: cannot use spool `{spool}`: {reason}", file=sys.stderr)
        print("hint: name another directory with --spool DIR", file=sys.stderr)
        return None


def _compiled(options: argparse.Namespace) -> bytes:
    from .policy import load

    return load(options.policy, observe=options.observe)


def _obey(policy: bytes, spool: str, run: Run | None, environment: dict[str, str]) -> None:
    """Has the program obey `policy`, besides those that it is under already.

    Its file stays in the spool under the name of its content: evidence of what was decided by.
    """
    from ..policy import SUFFIX, write

    if run is None:
        raise Failure("cannot obey a policy: nothing can be recorded", hint="name a spool with --spool DIR")
    import hashlib

    path = os.path.join(spool, f"policy-{hashlib.sha256(policy).hexdigest()[:32]}{SUFFIX}")
    if not os.path.exists(path):
        try:
            write(policy, path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Failure(f"cannot write `{path}`: {reason}", hint="name another spool") from None
    known = environment.get("GNOMON_POLICY", "").split(os.pathsep)
    environment["GNOMON_POLICY"] = os.pathsep.join(dict.fromkeys([*filter(None, known), path]))


def _environment(
    spool: str, run: Run | None, outer: str | None, options: argparse.Namespace
) -> dict[str, str]:
    environment = dict(os.environ)
    if run is None:
        return environment
    ours = bootstrap()
    others = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry != ours]
    rest = os.pathsep.join(others)
    environment["PYTHONPATH"] = ours + os.pathsep + rest if rest else ours
    environment["GNOMON_SPOOL"] = spool
    environment["GNOMON_RUN"] = outer or run.id
    environment["GNOMON_PARENT"] = run.id
    if options.imports == "all":
        environment["GNOMON_IMPORTS"] = "all"
    if options.native:
        environment["GNOMON_NATIVE"] = options.native
    if options.justify:
        environment["GNOMON_JUSTIFY"] = options.justify
    return environment


def _supervise(command: list[str], environment: dict[str, str], run: Run | None) -> int:
    """Starts the program, stands aside until it ends, and returns its status (minus a signal).

    Signals from the terminal reach the program by themselves, as it is in our process group; those that
    somebody sends to us are passed on. Where the program stops, we stop with it (job control).
    """
    waited = {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited | {signal.SIGCHLD})
    # Python ignores these two; a program started by a shell would not.
    defaults = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        pid = os.posix_spawnp(command[0], command, environment, setsigmask=before, setsigdef=defaults)
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        reason = (error.strerror or str(error)).lower()
        failure = Failure(f"cannot run `{command[0]}`: {reason}", hint="look at the name, or at PATH")
        failure.exit_code = 126 if isinstance(error, PermissionError) else 127
        raise failure from None
    status = _wait(pid, waited)
    # What arrived while the program ended is not for us either.
    while signal.sigtimedwait(waited, 0) is not None:
        pass
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if run is not None:
        run.child_ended(pid, status)
        run.end(status if status >= 0 else 128 - status)
    return status


def _wait(pid: int, waited: set[signal.Signals]) -> int:
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if ended and os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
            continue
        if ended:
            return os.waitstatus_to_exitcode(status)
        received = signal.sigwaitinfo(waited | {signal.SIGCHLD})
        # A signal of the kernel (a key on the terminal) has reached the program too.
        if received.si_signo != signal.SIGCHLD and received.si_code <= 0:
            os.kill(pid, received.si_signo)


def _finish(run: Run, recorded: Spool, options: argparse.Namespace, status: int) -> int:
    """Says what the program did, and returns the status to end with."""
    import contextlib

    from .. import seal
    from ..answer import Answer, as_json
    from ..screen import as_text
    from .spools import is_terminal

    is_checked = bool(options.fail_on or options.sarif or options.annotations)
    if is_checked or not options.quiet:
        answer = Answer.of(recorded, run_id=run.id)
    if not options.quiet:
        form = (
            as_json(answer) if options.format == "json" else as_text(answer, colour=is_terminal(sys.stderr))
        )
        sys.stdout.flush()
        print(form, file=sys.stderr)
    if is_checked:
        from .checks import check

        status = check(answer, options, status)
    for path in recorded.segments():
        # A child that outlives the run may just be making its segment; the space is all that this is about.
        with contextlib.suppress(OSError):
            seal(path)
    return status


def _pass_on(status: int) -> int:
    """Ends as the program did: with its exit code, or by the same signal."""
    if status >= 0:
        return status
    sys.stdout.flush()
    sys.stderr.flush()
    number = -status
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
