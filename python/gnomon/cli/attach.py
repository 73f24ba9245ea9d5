"""`gnomon attach`: starts recording a Python that runs already, where its version allows that (3.14)."""

from __future__ import annotations

import argparse
import json
import os
import sys

from ..attaching import Attached, Refused, Wish, attach
from ..places import machine_spool
from ..target import Closed, Gone, Target, look_at
from ..text import printable
from .errors import Failure, UsageError

_TRIES = 3


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "attach",
        help="start recording a Python that runs already",
        description="Starts recording a running notebook or service, of Python 3.14 or later.",
        epilog="What it did before is not known. From then on it is recorded until it ends.",
    )
    parser.add_argument("pid", metavar="PID", type=int, help="the number of the process")
    parser.add_argument("--spool", metavar="DIR", help="where records go (default: its user's own spool)")
    parser.add_argument(
        "--policy", metavar="FILE", action="append", default=[], help="a policy to obey; may be given again"
    )
    parser.add_argument("--observe", action="store_true", help="say what the policy would do, and do nothing")
    parser.add_argument("--no-children", action="store_true", help="do not record the Pythons that it starts")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=10.0,
        help="how long to wait for it to come to it (default: 10)",
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    if not sys.platform.startswith("linux"):
        raise Failure("`gnomon attach` works on Linux only", hint="start the program with `gnomon run`")
    target = _target(options.pid)
    wish = Wish(options.spool, _policies(options), not options.no_children)
    try:
        for _ in range(_TRIES):
            outcome = attach(target, wish, seconds=max(0.0, options.wait))
            if outcome.state != "interrupted":
                break
    except Refused as refusal:
        raise Failure(f"cannot attach: {printable(str(refusal), 1000)}", hint=refusal.hint) from None
    except Gone as gone:
        raise Failure(f"cannot attach: {gone}") from None
    if options.json:
        print(json.dumps({"pid": target.pid, "user": target.user, **vars(outcome)}))
        return 0 if outcome.state == "recorded" else 1
    return _say(target, outcome, options.wait)


def _target(pid: int) -> Target:
    if pid == os.getpid():
        raise UsageError("that is gnomon itself", hint="give the number of another process")
    try:
        return look_at(pid)
    except Gone as gone:
        raise Failure(f"cannot attach: {gone}", hint="`ps -ef | grep python` lists what runs") from None
    except Closed as closed:
        hint = f"say `sudo gnomon attach {pid}`" if os.geteuid() else "it takes CAP_SYS_PTRACE"
        raise Failure(f"cannot attach: {closed} may not be looked into", hint=hint) from None


def _policies(options: argparse.Namespace) -> list[bytes]:
    if not options.policy:
        return []
    from .policy import load

    if machine_spool():
        raise UsageError(
            "this machine's settings say which policies hold", hint="name it there, or leave out --policy"
        )
    return [load(options.policy, observe=options.observe)]


def _say(target: Target, outcome: Attached, seconds: float) -> int:
    where = printable(outcome.spool or "its spool", 1000)
    who = f"process {target.pid}"
    if outcome.state == "recorded":
        print(f"{who} is recorded from now on, into `{where}`")
        print(f"hint: `gnomon show --all {where}` says what it does", file=sys.stderr)
        return 0
    if outcome.state == "pending":
        raise Failure(
            f"{who} did not come to it within {seconds:g} seconds: it waits, or is in a long call",
            hint=f"it is recorded as soon as its main thread is back in Python code, into `{where}`",
        )
    if outcome.state == "ended":
        raise Failure(f"cannot attach: {who} ended before it came to it")
    raise Failure(
        f"cannot record {who}: {printable(outcome.reason or outcome.state, 1000)}",
        hint="look at the spool's directory, or name another with --spool DIR",
    )
