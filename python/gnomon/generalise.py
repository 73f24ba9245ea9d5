"""From what was seen to what stands for it: folders for files, domains for hosts. Pure functions of text."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

# Files of a folder from which on the folder stands for them; where it says too little, its direct files do.
SEVERAL = 2
MANY = 5
# Folders of a folder from which on that stands for them.
MANY_FOLDERS = 4
# The same of a folder that only this machine has: `/data`.
MANY_FOLDERS_OF_DATA = 20
# Hosts of a domain from which on the domain stands for them.
MANY_HOSTS = 3

# Folders of the system and of everybody: a rule about one of these would say nothing.
_SHALLOW = re.compile(
    r"~|/[^/]*|/(usr|var|mnt|media|home|Users|Volumes|proc|sys|dev|run|net|nfs|private|System)/[^/]+"
    r"|/usr/local/[^/]+|/run/user/[^/]+|/var/(lib|spool)/[^/]+"
)
_OF_SYSTEM = re.compile(
    r"~|/(home|bin|boot|dev|etc|lib[^/]*|media|mnt|net|opt|proc|root|run|sbin|srv|sys|tmp|usr|var|nfs|private"
    r"|Applications|Library|System|Users|Volumes)?"
)
_TEMPORARY = re.compile(r"(/tmp|/var/tmp|/private/tmp|/dev/shm|(?:/private)?/var/folders)(/.*)?", re.DOTALL)
# Names below which everybody may have one: hosts there have nothing in common.
_SHARED_SUFFIX = re.compile(
    r"([a-z]{2,3}\.)?[a-z]{2}|[a-z0-9-]+|.*\b(amazonaws\.com|cloudfront\.net|azurewebsites\.net|windows\.net"
    r"|azure\.com|cloudapp\.net|github\.io|githubusercontent\.com|gitlab\.io|herokuapp\.com|appspot\.com"
    r"|web\.app|firebaseio\.com|run\.app|vercel\.app|netlify\.app|pages\.dev|workers\.dev|cloudflarestorage\.com"
    r"|digitaloceanspaces\.com|r2\.dev|sharepoint\.com|duckdns\.org|ngrok\.io|ngrok-free\.app|readthedocs\.io)"
)
_ODD = re.compile(r"[\[\]{}?\\\x00-\x1f\x7f\ud800-\udfff]")


@dataclass
class Evidence:
    """What speaks for a pattern: the things that were seen, and the scripts that used them."""

    things: set[str] = field(default_factory=set)
    scripts: set[str] = field(default_factory=set)
    ports: set[str] = field(default_factory=set)

    def add(self, other: Evidence) -> None:
        """Takes what speaks for another pattern."""
        self.things |= other.things
        self.scripts |= other.scripts
        self.ports |= other.ports


Seen = dict[str, Evidence]


def folders(seen: Seen) -> Seen:
    """Patterns for `seen` paths: a folder where several of its files were, never one that says nothing."""
    found: Seen = {}
    groups: dict[str, Seen] = {}
    for path, evidence in seen.items():
        temporary = _TEMPORARY.fullmatch(path)
        if temporary:
            _merge(found, f"{temporary[1]}/**", evidence)
        elif path == "~":
            _merge(found, path, evidence)
        else:
            groups.setdefault(posixpath.dirname(path), {})[path] = evidence
    kept: dict[str, Evidence] = {}
    for folder, files in groups.items():
        if len(files) < SEVERAL or (_is_shallow(folder) and len(files) < MANY):
            kept.update({escaped(path): evidence for path, evidence in files.items()})
        else:
            end = "/*" if _is_shallow(folder) else "/"
            for evidence in files.values():
                _merge(kept, escaped(folder) + end, evidence)
    for pattern, evidence in _without_covered(_collapsed(kept)).items():
        _merge(found, pattern, evidence)
    return found


def _is_shallow(folder: str) -> bool:
    return _SHALLOW.fullmatch(folder) is not None


def _collapsed(patterns: Seen) -> Seen:
    """A folder where many of its folders would be named, the deepest first."""
    patterns = dict(patterns)
    depth = max((pattern.count("/") for pattern in patterns), default=0)
    for level in range(depth, 0, -1):
        children: dict[str, set[str]] = {}
        for pattern in patterns:
            parts = pattern.rstrip("/").split("/")
            if pattern.endswith("/*") or len(parts) <= level:
                continue
            if len(parts) > level + 1 or pattern.endswith("/"):
                children.setdefault("/".join(parts[:level]), set()).add(parts[level])
        for folder, names in children.items():
            is_data = folder.startswith("/") and folder.count("/") == 1 and not _OF_SYSTEM.fullmatch(folder)
            many = MANY_FOLDERS_OF_DATA if is_data else MANY_FOLDERS
            if len(names) >= many and folder and (is_data or not _is_shallow(folder)):
                for pattern in [one for one in patterns if one.startswith(folder + "/")]:
                    _merge(patterns, folder + "/", patterns.pop(pattern))
    return patterns


def _without_covered(patterns: Seen) -> Seen:
    """Without what is below a folder that is named too."""
    found: Seen = {}
    above = {pattern for pattern in patterns if pattern.endswith("/")}
    for pattern in sorted(patterns, key=lambda pattern: (pattern.count("/"), pattern)):
        parts = pattern.rstrip("/").split("/")
        whole = ["/".join(parts[:count]) + "/" for count in range(1, len(parts) + 1)]
        covering = next((one for one in whole if one in above), pattern)
        direct = "/".join(parts[:-1]) + "/*"
        if covering == pattern and not pattern.endswith(("/", "/*")) and direct in patterns:
            covering = direct
        _merge(found, covering, patterns[pattern])
    return found


def domains(seen: Seen) -> Seen:
    """Patterns for `seen` hosts: a domain where several of its hosts were."""
    found = dict(seen)
    depth = max((host.count(".") for host in seen), default=0)
    for level in range(depth, 0, -1):
        groups: dict[str, set[str]] = {}
        for host in found:
            labels = host.split(".")
            if len(labels) > level:
                groups.setdefault(".".join(labels[-level:]), set()).add(host)
        for domain, hosts in groups.items():
            if len(hosts) >= MANY_HOSTS and not _SHARED_SUFFIX.fullmatch(domain):
                for host in hosts:
                    _merge(found, f"*.{domain}", found.pop(host))
    return found


def _merge(seen: Seen, name: str, evidence: Evidence) -> None:
    seen.setdefault(name, Evidence()).add(evidence)


def escaped(path: str) -> str:
    """`path`, in which a `*` stands for what differs, as a pattern."""
    return "".join(map(_escaped_letter, path)) if _ODD.search(path) else path


def _escaped_letter(letter: str) -> str:
    if 0xD800 <= ord(letter) <= 0xDFFF:
        return "*"  # a byte that is no UTF-8, which TOML cannot hold
    if letter < " " or letter == "\x7f":
        return "?"
    return f"\\{letter}" if letter in "[]{}?\\" else letter
