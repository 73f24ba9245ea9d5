"""The policy that permits what was seen: folders, domains and programs, with what speaks for each."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .generalise import Evidence, Seen, domains, escaped, folders
from .learn import FAMILIES, standard_library
from .text import printable

if TYPE_CHECKING:
    from .learn import Learner

# What Python reads and writes for itself: records leave most of it out.
MACHINERY = {
    "read": (
        "**/lib/python3*/",
        "**/lib64/python3*/",
        "**/lib/python3*.zip",
        "**/site-packages/",
        "**/dist-packages/",
        "**/__pycache__/",
        "/proc/*/",
        "/dev/null",
    ),
    "write": ("**/__pycache__/", "/dev/null"),
}
_WORDS = ("loopback", "unix", "private", "link-local", "public")


def policy(learner: Learner, *, name: str = "learned", mode: str = "observe") -> str:
    """The text of the policy that permits what `learner` has seen, and denies the rest of those families."""
    sections = []
    for family in FAMILIES:
        if family in learner.families:
            sections.append(_SECTIONS[family](learner))
    scripts = _counted(len(learner.scripts), ("script", "scripts"))
    head = [
        f"# What {scripts} did, found by `gnomon policy learn`: what was seen is allowed, the rest denied.",
        "# Rules are tried from the top, and the first that matches decides. Read them, strike out what must",
        '# not be, and say mode = "enforce" once `gnomon policy replay` shows nothing that surprises you.',
        f"name = {_text(name)}",
        f'mode = "{mode}"',
    ]
    if learner.untold:
        head.insert(3, f"# No pattern stands for these, which were seen too: {_listed(learner.untold)}")
    text = "\n".join("\n".join(part) + "\n" for part in (head, *sections))
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def _files_section(learner: Learner, family: str) -> list[str]:
    verb = {"read": "Reading", "write": "Writing"}[family]
    access = f'access = "{family}"'
    patterns = folders(learner.files[family])
    lines = [f"# {verb} files", ""]
    lines += _block(
        [f"# What Python itself {family}s; records leave most of it out."],
        [
            f'id = "{family}-by-python"',
            'event = "file"',
            access,
            *_array("path", [(one, "") for one in MACHINERY[family]]),
            'action = "allow"',
        ],
        [(f"open:{family} /dev/null", "allow")],
    )
    if patterns:
        example = _path_example(patterns)
        lines += _block(
            [],
            [
                f'id = "{family}"',
                'event = "file"',
                access,
                *_array("path", _commented(patterns, ("file", "files"))),
                'action = "allow"',
            ],
            [(f"open:{family} {shlex.quote(example)}", "allow")] if example else [],
        )
    return lines + _block(
        [],
        [
            f'id = "no-other-{family}s"',
            'event = "file"',
            access,
            'path = ["/", "~/"]',
            'action = "deny"',
            f'message = "No script has {"read" if family == "read" else "written"} here so far."',
        ],
        [(f"open:{family} /not/seen/before", "deny")],
    )


def _network_section(learner: Learner) -> list[str]:
    lines = ["# Network", ""]
    hosts = domains(learner.hosts)
    if hosts:
        example = min(hosts, key=lambda host: ("*" in host, host)).replace("*", "x")
        lines += _block(
            [],
            [
                'id = "hosts"',
                'event = "network"',
                *_array("host", _commented(hosts, ("host", "hosts"))),
                'action = "allow"',
            ],
            [(f"connect {example}:443", "allow")],
        )
    if learner.urls:
        lines += _block(
            [],
            [
                'id = "urls"',
                'event = ["http", "request"]',
                *_array(
                    "url", _commented({escaped(url): one for url, one in learner.urls.items()}, ("", ""))
                ),
                'action = "allow"',
            ],
            [],
        )
    lines += _address_rules(learner.addresses)
    sockets = folders(learner.sockets)
    if sockets:
        socket_example = _path_example(sockets)
        lines += _block(
            [],
            [
                'id = "sockets"',
                'event = ["connect", "bind", "send"]',
                *_array("path", _commented(sockets, ("socket", "sockets"))),
                'action = "allow"',
            ],
            [(f"connect {shlex.quote('unix:' + socket_example)}", "allow")] if socket_example else [],
        )
    lines += _block(
        [],
        [
            'id = "no-other-hosts"',
            'event = "network"',
            'host = "*"',
            'action = "deny"',
            'message = "No script has talked to this host so far."',
        ],
        [("connect not-seen-before.example:443", "deny")],
    )
    return lines + _block(
        [],
        [
            'id = "no-other-addresses"',
            'event = "network"',
            f"address = {json.dumps(list(_WORDS))}",
            'action = "deny"',
            'message = "No script has talked to this address so far."',
        ],
        [],
    )


def _address_rules(addresses: Seen) -> list[str]:
    """A rule for each set of ports, as a rule's conditions hold together."""
    groups: dict[tuple[str, ...], Seen] = {}
    for word, evidence in addresses.items():
        ports = () if "*" in evidence.ports or not evidence.ports else tuple(sorted(evidence.ports, key=int))
        groups.setdefault(ports, {})[word] = evidence
    lines: list[str] = []
    for number, (ports, group) in enumerate(sorted(groups.items()), 1):
        is_bare = any("/" in word for word in group)
        lines += _block(
            ["# An address without a name: who is that?"] if is_bare else [],
            [
                f'id = "addresses-{number}"' if len(groups) > 1 else 'id = "addresses"',
                'event = ["connect", "bind", "send", "http", "request"]',
                *_array("address", _commented(group, ("address", "addresses"))),
                *([f"port = [{', '.join(ports)}]"] if ports else []),
                'action = "allow"',
            ],
            _address_examples(group, ports),
        )
    return lines


def _address_examples(group: Seen, ports: tuple[str, ...]) -> list[tuple[str, str]]:
    usual = {"loopback": "127.0.0.1", "private": "10.0.0.1", "link-local": "169.254.1.1"}
    word = min(group)
    if word == "unix":
        return [("connect unix:@abstract", "allow")]
    address = usual.get(word, word.partition("/")[0])
    spelled = f"[{address}]" if ":" in address else address
    return [(f"connect {spelled}:{ports[0] if ports else 8080}", "allow")]


def _process_section(learner: Learner) -> list[str]:
    lines = ["# Other programs", ""]
    programs = {_program(name): evidence for name, evidence in learner.programs.items()}
    if programs:
        shells = sorted({"sh", "bash", "dash", "zsh", "cmd.exe"} & programs.keys())
        warning = [f"# {', '.join(shells)}: a shell can start everything else. Can the script do without?"]
        name = min(programs, key=lambda name: (not re.fullmatch(r"[A-Za-z0-9._+-]+", name), name))
        lines += _block(
            warning if shells else [],
            [
                'id = "programs"',
                'event = ["spawn", "exec"]',
                *_array("program", _commented(programs, ("", ""))),
                'action = "allow"',
            ],
            [(f"spawn {name}", "allow")] if re.fullmatch(r"[A-Za-z0-9._+-]+", name) else [],
        )
    if learner.forks:
        lines += _block([], ['id = "forks"', 'event = "fork"', 'action = "allow"'], [("fork", "allow")])
    event = '["spawn", "exec"]' if learner.forks else '"process"'
    return lines + _block(
        [],
        [
            'id = "no-other-programs"',
            f"event = {event}",
            'action = "deny"',
            'message = "No script has started this program so far."',
        ],
        [("spawn not-seen-before", "deny")],
    )


def _program(name: str) -> str:
    """A name that starts as a place would is no place."""
    is_name = "/" not in name and name[:1] in ("~", "$", ".")
    return f"[{name[0]}]{escaped(name[1:])}" if is_name else escaped(name)


def _import_section(learner: Learner) -> list[str]:
    lines = ["# Libraries", ""]
    if learner.distributions:
        name = min(learner.distributions)
        lines += _block(
            [],
            [
                'id = "libraries"',
                *_array("distribution", _commented(learner.distributions, ("module", "modules"))),
                'action = "allow"',
            ],
            [(f"import a_module from {name}==1.0", "allow")],
        )
    modules = {name: evidence for name, evidence in learner.modules.items() if name.isidentifier()}
    if modules:
        lines += _block(
            ["# Modules that no installed library has: the scripts' own, mostly."],
            [
                'id = "own-modules"',
                *_array("module", _commented(modules, ("module", "modules"))),
                'action = "allow"',
            ],
            [],
        )
    names = sorted(standard_library() | {"__main__", "__mp_main__"})
    lines += _block(
        ["# Python's own modules."],
        [
            'id = "standard-library"',
            *_wrapped("module", [*names, "_sysconfigdata_*", "__editable__*"]),
            'action = "allow"',
        ],
        [("import json", "allow")],
    )
    return lines + _block(
        [],
        [
            'id = "no-other-libraries"',
            'event = "import"',
            'action = "deny"',
            'message = "No script has used this library so far."',
        ],
        [("import not_seen_before", "deny")],
    )


_SECTIONS = {
    "read": lambda learner: _files_section(learner, "read"),
    "write": lambda learner: _files_section(learner, "write"),
    "network": _network_section,
    "process": _process_section,
    "import": _import_section,
}


def _block(comments: list[str], lines: list[str], examples: list[tuple[str, str]]) -> list[str]:
    block = [*comments, "[[rule]]", *lines, ""]
    for event, expected in examples:
        block += ["[[rule.example]]", f"event = {_text(event)}", f'expect = "{expected}"', ""]
    return block


def _commented(patterns: Seen, noun: tuple[str, str]) -> list[tuple[str, str]]:
    """Each pattern with what speaks for it, sorted."""
    return [(pattern, _evidence(pattern, patterns[pattern], noun)) for pattern in sorted(patterns)]


def _evidence(pattern: str, evidence: Evidence, noun: tuple[str, str]) -> str:
    scripts = _counted(len(evidence.scripts), ("script", "scripts"))
    things = sorted(evidence.things)
    if len(things) == 1 and (things[0] == pattern or not noun[0]):
        return f"by {scripts}"
    example = printable(things[0], 60)
    if len(things) == 1:
        return f"{example}, by {scripts}"
    return f"{_counted(len(things), noun)} by {scripts}, as {example}"


def _array(key: str, values: list[tuple[str, str]]) -> list[str]:
    if len(values) == 1 and not values[0][1]:
        return [f"{key} = {_text(values[0][0])}"]
    texts = [f"{_text(value)}," for value, _ in values]
    width = min(max(map(len, texts)), 48)
    lines = (
        f"    {text.ljust(width)}  # {comment}" if comment else f"    {text}"
        for text, (_, comment) in zip(texts, values)
    )
    return [f"{key} = [", *lines, "]"]


def _wrapped(key: str, values: list[str]) -> list[str]:
    import textwrap

    text = ", ".join(map(_text, values))
    lines = textwrap.wrap(text, 104, break_long_words=False, break_on_hyphens=False)
    return [f"{key} = [", *(f"    {line}" for line in lines), "]"]


def _text(value: str) -> str:
    if "\\" in value and "'" not in value:
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)


def _path_example(patterns: Seen) -> str | None:
    """A path that one of the patterns matches and that can be written without doubt."""
    plain = [one for one in patterns if re.fullmatch(r"[~A-Za-z0-9/._ *-]+", one)]
    if not plain:
        return None
    pattern = min(plain, key=lambda one: (one.count("*"), one.startswith("**"), one))
    path = pattern + "x" if pattern.endswith("/") else pattern
    path = re.sub(r"\*+", "x", path)
    return path if path.startswith(("/", "~/")) else None


def _counted(count: int, noun: tuple[str, str]) -> str:
    return f"{count:,} {noun[0] if count == 1 else noun[1]}"


def _listed(things: Iterable[str]) -> str:
    shown = sorted(things)
    more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
    return ", ".join(printable(thing, 60) for thing in shown[:5]) + more
