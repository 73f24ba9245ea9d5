"""`gnomon policy explain`: what policies say of an event, which rule says it, and which came close."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..spools import iso_time
from . import tell, unusable

if TYPE_CHECKING:
    from typing import Any

    from ..._native import Explanation, PolicyCheck, RuleOutcome

_MAX_CLOSE = 3
_MAX_WANTED = 3
_EPILOG = """\
  --event 'open /data/hr/x.csv'         --event 'open:write ~/report.xlsx'
  --event 'rename /data/a /data/b'      --event 'connect api.openai.com:443'
  --event 'connect unix:/run/x.sock'    --event 'http POST https://api.openai.com/v1/files'
  --event 'spawn curl -s example.com'   --event 'import yaml from pyyaml==5.3'
  --event 'script -m pytest'            --event fork

docs/policy.md has all of them.
"""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "explain",
        help="say which rule decides an event, and why",
        description=(
            "Says what policies would do about an event: by which rule, what its conditions matched, and "
            "which rules came close. Several policies combine by the strictest verdict."
        ),
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="POLICY", help="a policy file")
    parser.add_argument("--event", required=True, help="what happens, as below")
    parser.add_argument(
        "--who",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="who does it: user, group, script, script_sha256, origin; and what the event has besides: host, "
        "address, distribution",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..._native import explain_policies

    who = [_pair(text) for text in options.who]
    try:
        explanation, problems = explain_policies(
            options.files, options.event, who, os.getcwd(), os.path.expanduser("~")
        )
    except ValueError as error:
        cause, hint = error.args
        raise UsageError(f"cannot understand the event `{options.event}`: {cause}", hint=hint) from None
    if explanation is None:
        tell(problems)
        raise unusable(problems)
    if options.format == "json":
        import json

        print(json.dumps(_as_dict(explanation)))
    else:
        print("\n".join(_lines(explanation)))
    return 0


def _pair(text: str) -> tuple[str, str]:
    key, is_pair, value = text.partition("=")
    if not is_pair:
        raise UsageError(f"cannot understand `{text}` of `--who`: it is no KEY=VALUE", hint="say `user=ann`")
    return key, value


def _lines(explanation: Explanation) -> list[str]:
    enforced, shadow = explanation.enforced, explanation.shadow
    if enforced is None:
        lines = ["allow: no enforced rule matches" if shadow else "allow: no rule matches"]
    else:
        lines = _decision(enforced.action, enforced)
    if shadow is not None and (enforced is None or _place(shadow) != _place(enforced)):
        lines += ["", *_decision(f"if observed rules were enforced: {shadow.action}", shadow)]
    if len(explanation.policies) > 1:
        lines += ["", "the strictest of these policies decides:"]
        lines += [f"  {name}: {_short(rule)}" for name, rule, _ in explanation.policies]
    if explanation.overruled:
        lines += ["", "matches as well, but an earlier rule of its policy decides:"]
        lines += [f"  {_named(rule)}: {rule.action}" for rule in explanation.overruled]
    if explanation.close:
        lines += ["", "came close:"]
        lines += [
            f"  {_named(rule)}: {rule.action}, but {_lacks(rule)}" for rule in explanation.close[:_MAX_CLOSE]
        ]
    return lines


def _decision(what: str, rule: RuleOutcome) -> list[str]:
    from ...text import printable

    lines = [f"{what}, by {_named(rule)}"]
    if rule.message:
        lines.append(f"  {printable(rule.message)}")
    asked = " ".join(printable(text) for text in (rule.owner, rule.link) if text)
    if asked:
        lines.append(f"  ask {asked}" if rule.owner else f"  see {asked}")
    return lines + [f"    {_holds(check)}" for check in rule.checks]


def _place(rule: RuleOutcome) -> tuple[str, int]:
    return os.fspath(rule.file), rule.line


def _short(rule: RuleOutcome | None) -> str:
    return "allow, as no rule matches" if rule is None else f"{rule.action}, by `{rule.id}`"


def _named(rule: RuleOutcome) -> str:
    from ...text import printable

    about = f" about {printable(rule.path)}" if rule.path else ""
    return f"`{printable(rule.policy)}/{rule.id}` ({printable(os.fspath(rule.file))}:{rule.line}){about}"


def _holds(check: PolicyCheck) -> str:
    """Why a condition holds."""
    if check.name == "until":
        return f"until: counts until {_moment(check)}"
    if check.pattern is None:
        return f"{check.name}: {_listed(check.values, 'and')}"
    return f"{check.name}: {_quoted(check.value or '')} matches {_quoted(check.pattern)}"


def _lacks(rule: RuleOutcome) -> str:
    return ", and ".join(_fails(check) for check in rule.checks if not check.holds)


def _fails(check: PolicyCheck) -> str:
    """Why a condition does not hold."""
    if check.name == "until":
        return f"it only counted until {_moment(check)}"
    if not check.values:
        return f"the event has no {check.name}, and it wants {_wanted(check)}"
    verb = "are" if len(check.values) > 1 else "is"
    return f"{check.name} {verb} {_listed(check.values, 'and')}, and not {_wanted(check)}"


def _moment(check: PolicyCheck) -> str:
    return iso_time(check.until or 0)[:19] + "Z"


def _wanted(check: PolicyCheck) -> str:
    shown = check.wanted[:_MAX_WANTED]
    if check.wanted_count > len(shown):
        return ", ".join(map(_quoted, shown)) + f" or one of {check.wanted_count - len(shown):,} more"
    return _listed(shown, "or")


def _listed(texts: list[str], word: str) -> str:
    quoted = [_quoted(text) for text in texts]
    return f" {word} ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))


def _quoted(text: str) -> str:
    from ...text import printable

    return f"`{printable(text)}`"


def _as_dict(explanation: Explanation) -> dict[str, Any]:
    return {
        "event": explanation.event,
        "action": explanation.enforced.action if explanation.enforced else "allow",
        "rule": _rule_as_dict(explanation.enforced),
        "shadow": _rule_as_dict(explanation.shadow),
        "policies": [
            {"name": name, "rule": rule and rule.id, "shadow": shadow and shadow.id}
            for name, rule, shadow in explanation.policies
        ],
        "overruled": [_rule_as_dict(rule) for rule in explanation.overruled],
        "close": [_rule_as_dict(rule) for rule in explanation.close],
    }


def _rule_as_dict(rule: RuleOutcome | None) -> dict[str, Any] | None:
    if rule is None:
        return None
    names = ("policy", "line", "id", "action", "is_observed", "message", "link", "owner", "path")
    of_check = ("name", "holds", "pattern", "value", "values", "wanted", "wanted_count")
    checks = [{name: getattr(check, name) for name in of_check} for check in rule.checks]
    for check, own in zip(checks, rule.checks):
        if own.until is not None:
            check["until"] = iso_time(own.until)
    fields = {name: getattr(rule, name) for name in names}
    return {**fields, "file": os.fspath(rule.file), "checks": checks}
