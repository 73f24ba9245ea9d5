"""Ways around a policy, live: one table for each matcher.

What comes out otherwise than denied stands in its table; what is not stopped has a row in docs/policy.md.
"""

from __future__ import annotations

import fnmatch
import http.server
import json
import os
import shutil
import socket
import socketserver
import sqlite3
import subprocess
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from obeying import policy, under
from watching import armed_environment, program

Outcomes = Mapping[str, str]
DENIED = "denied as PermissionError"


def outcomes(stdout: bytes) -> Outcomes:
    found: Outcomes = json.loads(stdout)
    return found


def is_before(python: str, minor: int) -> bool:
    return int(python.rpartition("python3.")[2]) < minor


def unlike(found: Outcomes, expected: Mapping[str, str], *, usual: str = DENIED) -> Outcomes:
    """Those that came out otherwise than `expected`, which is as usual for all that it does not name."""
    assert set(expected) <= set(found)
    return {
        name: outcome
        for name, outcome in found.items()
        if outcome != (pattern := expected.get(name, usual)) and not fnmatch.fnmatchcase(outcome, pattern)
    }


# Not stopped: docs/policy.md has a row for each.
PATHS = {
    "open_hard_link": "done: secret",
    "move_the_folder_above": "done: above",
    "by_another_program": "done: secret",
    "by_a_python_without_gnomon": "done: secret",
    "link_swapped_by_another_program": "done: secret",
}
# Stopped as the system does it: the call of the C library fails, and who made it says so in its own way.
PATHS_IN_C = {
    "attached_database": "OperationalError: unable to open database: *",
    "database_of_an_object_of_its_own": "OperationalError: unable to open database file",
    "by_the_c_library": "OSError: [[]Errno 9] Bad file descriptor",
}


def protected(root: Path) -> Path:
    for folder in ("protected", "public", "links", "above/protected", "swapped-public/below", "aside"):
        (root / folder).mkdir(parents=True)
    for folder, text in (("protected", "secret"), ("public", "public"), ("above/protected", "above")):
        (root / folder / "secret").write_text(text)
    (root / "swapped-public/below/secret").write_text("public")
    (root / "secret").write_text("at the top")
    (root / "protected/victim").write_text("")
    for name in (b"new\nline", b"\xff\xfe"):
        Path(os.fsdecode(os.fsencode(root / "protected") + b"/" + name)).write_text("secret")
    sqlite3.connect(root / "protected/data.db").execute("create table t (x)").connection.close()
    os.link(root / "protected/secret", root / "hard-link")
    for name, target in {
        "links/file": root / "protected/secret",
        "links/folder": root / "protected",
        "links/relative": "../protected/secret",
        "links/chain": "chain-2",
        "links/chain-2": "chain-3",
        "links/chain-3": "folder/secret",
        "links/inside": root / "protected/inside",
        "links/dangling": root / "protected/new",
        "links/spare": root / "protected/secret",
        "swapped-protected": root / "aside",
        "aside/below": root / "protected",
    }.items():
        (root / name).symlink_to(target)
    (root / "protected/inside").mkdir()
    return root


def test_paths(python: str, tmp_path: Path, spool: Path) -> None:
    root = protected(tmp_path / "subject")
    rules = f'[[rule]]\nid = "no"\npath = "{root}/protected/"\naction = "deny"\n'
    folder, file = (os.open(path, os.O_RDONLY) for path in (root / "protected", root / "protected/secret"))
    try:
        done = subprocess.run(
            [python, program("evades_paths.py")],
            env=armed_environment(
                spool,
                GNOMON_POLICY=policy(rules, tmp_path),
                INHERITED=str(file),
                INHERITED_FOLDER=str(folder),
            ),
            cwd=root,
            pass_fds=(folder, file),
            capture_output=True,
            check=True,
            timeout=120,
        )
    finally:
        os.close(folder)
        os.close(file)
    swaps = f"done: {['done: public', DENIED] * 3}"
    expected = {**PATHS, **PATHS_IN_C, "swapped_link": swaps, "swapped_folder": swaps}
    if is_before(python, 11):  # they ask the object before they tell
        expected["database_of_an_object_of_its_own"] = DENIED
    assert unlike(outcomes(done.stdout), expected) == {}
    assert sorted(path.name for path in (root / "protected").iterdir())[:3] == [
        "data.db",
        "inside",
        "new\nline",
    ]
    assert not (root / "protected/made").exists() and not (root / "protected/new").exists()


class _Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        socketserver.TCPServer.server_bind(self)


@pytest.fixture
def port() -> Iterator[int]:
    """Of a site on every loopback address."""
    with _Server(("::", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


# Names are looked up, and bytes are sent, by the C library.
HOSTS = {
    "no_name": "done: True",
    "address: name": "PermissionError: [[]Errno 13] Permission denied",
    "address_that_is_known": "done: None",
    "request_written_by_hand": "PermissionError: [[]Errno 13] Permission denied",
    "request_written_for_another_host": "done: HTTP/1.0 200",
}


# Where http.client tells nothing, but what it sends is seen: for the host that the request itself says.
HOSTS_BEFORE_3_10 = {
    "host_of_the_header": "done: 200",
    "host_of_the_header_alone": "done: 200",
    "absolute_in_the_request": "PermissionError: [[]Errno 13] Permission denied",
    "again_after_a_denial": "PermissionError: [[]Errno 13] Permission denied",
    "no_body_of_what_was_denied": "AssertionError: ",
}


def test_hosts_addresses_and_urls(python: str, tmp_path: Path, spool: Path, port: int) -> None:
    rules = """
        [[rule]]
        id = "hosts"
        host = [".denied.example", "bücher.example"]
        action = "deny"

        [[rule]]
        id = "addresses"
        event = "connect"
        address = ["127.0.0.1", "::1", "0.0.0.0"]
        action = "deny"

        [[rule]]
        id = "urls"
        url = ["http://127.0.0.9:*/denied"]
        action = "deny"
    """
    done = under(
        policy(rules, tmp_path), [python, program("evades_hosts.py")], spool, PORT=str(port)
    ).checked()
    found = outcomes(done.stdout)
    expected = dict(HOSTS)
    if is_before(python, 10):
        expected.update(HOSTS_BEFORE_3_10)
    assert unlike(found, expected) == {}


PROGRAMS = {
    "spawnv": "done: (127, False)",
    "by_a_python_child": "done: (1, True, False)",
    "copy_under_another_name": "done: True",
    "by_a_shell": "done: True",
    "by_another_program": "done: True",
    "found_in_a_search_path_of_its_own": "done: True",
    "argv_in_quotes_of_a_shell": "done: False",
    "multiprocessing_spawn": "done: False",  # it does not ask whether the program could be started
    "object_of_its_own": "PermissionError: [[]Errno 13] Permission denied: *",
}


def test_programs_and_arguments(python: str, tmp_path: Path, spool: Path) -> None:
    root = tmp_path / "subject"
    (root / "tools").mkdir(parents=True)
    tool = root / "tools/tool"
    tool.write_text(f"#!/bin/sh\ntouch {root}/mark\n")
    tool.chmod(0o755)
    shutil.copy(tool, root / "tools/other-tool")
    for name, target in {"link": tool, "folder": root / "tools"}.items():
        (root / name).symlink_to(target)
    (root / "path").mkdir()
    (root / "path/linked-tool").symlink_to(tool)
    shutil.copy(tool, root / "path/known-tool")
    rules = f"""
        [[rule]]
        id = "folder"
        program = "{root}/tools/"
        action = "deny"

        [[rule]]
        id = "name"
        program = "known-tool"
        action = "deny"

        [[rule]]
        id = "arguments"
        argv = ["*--upload x*", "*multiprocessing*"]
        action = "deny"
    """
    done = under(
        policy(rules, tmp_path),
        [python, program("evades_programs.py")],
        spool,
        cwd=root,
        PATH=f"{root}/path:{os.environ['PATH']}",
    ).checked()
    expected = dict(PROGRAMS)
    if not is_before(python, 14):
        expected["multiprocessing_spawn"] = DENIED
    if not is_before(python, 13):  # which starts it by posix_spawn, and that has asked the object
        expected["object_of_its_own"] = DENIED
    assert unlike(outcomes(done.stdout), expected) == {}


IMPORTS = {
    "distribution_of_another_version": "done: []",
    "loaded_already": "done: []",
    "built_in": "done: True",
    "text_of_the_module": "done: 1",
    "copy_under_another_name": "done: 1",
    "bytecode_alone": "done: 1",
}


def installed(folder: Path, name: str, version: str, *files: str) -> None:
    """A distribution in a directory of packages."""
    information = folder / f"{name}-{version}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (information / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("value = 1\n")


def test_modules_and_distributions(python: str, tmp_path: Path, spool: Path) -> None:
    modules, packages = tmp_path / "modules", tmp_path / "site-packages"
    for name in (
        "denied_module",
        "public_module",
        "denied_package/__init__",
        "denied_package/below",
        "partly/__init__",
        "partly/denied/__init__",
        "partly/denied/below",
        "spread/denied/below",
        "copied",
    ):
        path = modules / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("value = 1\n")
    (modules / "imports_denied_module.py").write_text("import denied_module\n")
    with zipfile.ZipFile(modules / "archive.zip", "w") as archive:
        archive.writestr("denied_in_archive.py", "value = 1\n")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/elsewhere.py").write_text("value = 1\n")
    command = [python, "-c", "import py_compile, sys; py_compile.compile(*sys.argv[1:])"]
    subprocess.run(
        [*command, str(tmp_path / "build/elsewhere.py"), str(modules / "only_bytecode.pyc")], check=True
    )
    installed(packages, "Denied_By.Distribution", "1.5.0", "denied_by_distribution.py", "shared/of_denied.py")
    installed(packages, "allowed_by_version", "2.0", "allowed_by_version.py")
    rules = """
        [[rule]]
        id = "modules"
        module = ["denied_module", "denied_package", "partly.denied", "spread.denied", "*archive*", "_lsprof",
                  "only_bytecode", "_tracemalloc"]
        action = "deny"

        [[rule]]
        id = "distributions"
        distribution = ["denied-by-distribution>=1,<2", "allowed-by-version<2"]
        action = "deny"
    """
    done = under(
        policy(rules, tmp_path),
        [python, program("evades_imports.py"), str(modules)],
        spool,
        PYTHONPATH=f"{modules}{os.pathsep}{packages}",
    ).checked()
    assert unlike(outcomes(done.stdout), IMPORTS, usual="denied as ImportError") == {}


CALL = "import socket\n\n\ndef call(address):\n    socket.create_connection(address).close()\n"
ORIGINS = {
    "Caller_Library": {"library": DENIED, "via": DENIED, "itself": "done: None"},
    "outer.library": {"library": "done: None", "via": DENIED, "itself": "done: None"},
    "*-library": {"library": DENIED, "via": DENIED, "itself": "done: None"},
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_origins(a_python: str, tmp_path: Path, spool: Path, origin: str) -> None:
    packages = tmp_path / "site-packages"
    installed(packages, "caller_library", "1.0", "caller_library.py")
    installed(packages, "outer_library", "1.0", "outer_library.py")
    (packages / "caller_library.py").write_text(CALL)
    (packages / "outer_library.py").write_text(
        "import caller_library\n\n\ndef call(address):\n    caller_library.call(address)\n"
    )
    rules = f'[[rule]]\nid = "no"\nevent = "connect"\norigin = "{origin}"\naction = "deny"\n'
    done = under(
        policy(rules, tmp_path), [a_python, program("calls_out.py")], spool, PYTHONPATH=str(packages)
    ).checked()
    assert outcomes(done.stdout) == ORIGINS[origin]
