"""`gnomon policy request`: a request for an exception, ready to send."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..spools import open_spool

if TYPE_CHECKING:
    from ...exception import Stopped
    from ...verdicts import Rule

MAX_DAYS = 366


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "request",
        help="ask for an exception from a rule that stopped a script",
        description=(
            "Finds what a rule stopped last, and prints a request to send to the rule's owner: who, which "
            "script, what, when and how often, and a rule that would allow just that for some days."
        ),
    )
    parser.add_argument("rule", metavar="RULE", help="the rule, as the message names it: policy/rule")
    parser.add_argument("spools", nargs="*", metavar="SPOOL", help="spools (default: your own)")
    parser.add_argument("--reason", metavar="TEXT", help="why the script needs this")
    parser.add_argument(
        "--days", type=int, default=30, metavar="N", help="for how many days (default: %(default)s)"
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 where the rule stopped nothing."""
    from ...exception import request
    from ...text import printable
    from ..errors import UsageError

    if not 1 <= options.days <= MAX_DAYS:
        raise UsageError("an exception lasts between 1 and 366 days", hint="say `--days 30`")
    found = _found(options)
    first, rule = found[0]
    reason = options.reason.strip() if options.reason else None
    sys.stdout.write(request(first, rule, reason=reason, days=options.days))
    others = {printable(other.process.script_file or "-") for other, _ in found[1:]}
    if others:
        sys.stdout.flush()
        print(
            f"note: the rule stopped {len(others):,} more: {', '.join(sorted(others)[:5])}", file=sys.stderr
        )
    if reason is None:
        sys.stdout.flush()
        print('hint: say why: `--reason "…"`', file=sys.stderr)
    return 0


def _found(options: argparse.Namespace) -> list[tuple[Stopped, Rule | None]]:
    """What the rule stopped, the newest first, with what the rule says."""
    from ...exception import stopped
    from ...verdicts import Decisions

    found = []
    for place in options.spools or [None]:
        processes = {process.id: process for process in open_spool(place).processes()[0]}
        records = list(open_spool(place, rule=options.rule).records())
        decisions = Decisions()
        for record in records:
            decisions.add(record)
        for record in open_spool(place, kinds=["policy"]).records():
            decisions.add_policy(record)
        rules = decisions.rules(str(open_spool(place).path))
        found += [(one, rules.get(one.rule)) for one in stopped(records, processes)]
    if not found:
        raise _nothing(options)
    found.sort(key=lambda one: -one[0].newest)
    return [one for one in found if one[0].rule == found[0][0].rule]


def _nothing(options: argparse.Namespace) -> Exception:
    from ...exception import stopped
    from ...text import printable
    from ..errors import Failure

    rules: set[str] = set()
    for place in options.spools or [None]:
        processes = {process.id: process for process in open_spool(place).processes()[0]}
        denied = open_spool(place, verdicts=["deny", "justify"]).records()
        rules |= {one.rule for one in stopped(denied, processes)}
    where = ", ".join(f"`{open_spool(place).path}`" for place in options.spools or [None])
    known = ", ".join(f"`{printable(rule)}`" for rule in sorted(rules)[:8])
    hint = (
        f"these rules stopped something there: {known}" if rules else "name the spool that it was recorded in"
    )
    return Failure(
        f"cannot find anything in {where} that the rule `{printable(options.rule)}` stopped", hint=hint
    )
