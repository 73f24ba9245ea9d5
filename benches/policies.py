"""Policies to measure with: one small, one large with a list of a hundred thousand hosts, one that denies."""

from __future__ import annotations

import sys
from pathlib import Path

SMALL, LARGE, DENYING = "10 rules", "10,000 rules", "gnomon denies"
# A rule of each form, as an organisation might write it; `{n}` makes thousands of them.
FORMS = (
    'path = "/data/dept-{n}/"\naccess = "write"\naction = "deny"',
    'path = "*.form{n}"\naction = "warn"',
    'event = "network"\nhost = ["svc{n}.example.com", ".zone{n}.example.net"]\naction = "deny"\n'
    'mode = "observe"',
    'event = "connect"\naddress = "10.{high}.{low}.0/24"\naction = "deny"',
    'program = ["tool{n}", "/opt/tools/{n}/"]\naction = "justify"',
    'module = "package{n}.internal"\naction = "deny"',
    'event = "network"\norigin = "library-{n}"\nport = "8000-8999"\naction = "warn"',
    'path = "/data/shared/"\nuser = "account-{n}"\naction = "deny"',
    'path = "**/secret-{n}-*/*.key"\naction = "deny"',
    'url = "https://api{n}.example.com/v1/*"\nscript = "/opt/reports/"\naction = "warn"',
)
DENIED = (
    '[[rule]]\nid = "files"\npath = "*.denied"\naction = "deny"\nmessage = "Not for scripts."\n\n'
    '[[rule]]\nid = "machines"\naddress = "loopback"\naction = "deny"\nmessage = "Not for scripts."\n'
)
ALLOWED = '[[rule]]\nid = "allowed"\npath = "*.allowed"\naction = "allow"\n'


def rules(count: int) -> str:
    texts = [
        f'[[rule]]\nid = "r{n}"\n{FORMS[n % len(FORMS)].format(n=n, high=n // 250, low=n % 250)}\n'
        for n in range(count)
    ]
    return "\n".join(texts)


def of(folder: Path, suffix: str) -> dict[str, Path]:
    names = {SMALL: "small", LARGE: "large", DENYING: "denying"}
    return {name: folder / f"{file}{suffix}" for name, file in names.items()}


def write(folder: Path) -> dict[str, Path]:
    """All as policy files in `folder`."""
    folder.mkdir(exist_ok=True)
    hosts = "".join(f"h{n}.blocked-{n % 977}.example\n" for n in range(100_000))
    (folder / "hosts.txt").write_text(hosts)
    blocked = '[lists]\nblocked = { file = "hosts.txt" }\n\n'
    by_list = '[[rule]]\nid = "blocked"\nhost = "@blocked"\naction = "deny"\n\n'
    files = of(folder, ".toml")
    files[SMALL].write_text(ALLOWED + rules(9))
    files[LARGE].write_text(blocked + by_list + ALLOWED + rules(9_998))
    files[DENYING].write_text(DENIED)
    return files


def compiled(folder: Path) -> dict[str, Path]:
    """All as processes read them."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
    from gnomon import policy  # type: ignore[import-untyped,unused-ignore]

    found = of(folder, policy.SUFFIX)
    for name, path in write(folder).items():
        policy.write(policy.compiled([path]), found[name])
    return found
