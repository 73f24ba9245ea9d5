"""Native code is watched in odd surroundings: programs go on unharmed, records say what is not watched."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import gnomon as package
from commands import gnomon

# Two opens, one by Python and one by the C library's own name, and a connection that is refused.
_ACTS = """
import ctypes, socket
open({file!r}, "w").close()
assert ctypes.CDLL(None).open({file!r}.encode(), 0) >= 0
with socket.socket() as one:
    assert one.connect_ex(("127.0.0.1", 9)) != 0
print("unharmed")
"""

_EMBEDS = """
#include <Python.h>
#include <fcntl.h>
#include <sys/socket.h>
int (*const opens[])(const char *, int, ...) = { open };
int (*const connects[])(int, const struct sockaddr *, socklen_t) = { connect };
int main(int count, char **arguments) {
    if (count > 90) return opens[count - 90]("", 0) + connects[count - 90](0, 0, 0);
    return Py_BytesMain(count, arguments);
}
"""

_COUNTS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <sys/socket.h>
static int connects;
int connect(int socket, const struct sockaddr *address, socklen_t length) {
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    connects++;
    return next(socket, address, length);
}
__attribute__((destructor)) static void end(void) {
    if (connects) fprintf(stderr, "%d connects\\n", connects);
}
"""

# Pages can be protected, and not made writable again.
_PROTECTS = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **arguments) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_READ | PROT_WRITE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof steps / sizeof *steps, steps };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 77;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) return 77;
    return count > 1 ? execvp(arguments[1], arguments + 1) : 0;
}
"""


def _built(path: Path, source: str, *flags: str) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    path.with_suffix(".c").write_text(source)
    done = subprocess.run(
        ["cc", "-o", path, path.with_suffix(".c"), *flags], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot be built here: {done.stderr.decode()[-300:]}")
    return path


def _flags(python: str) -> list[str]:
    """What a program that embeds this Python is built with."""
    code = (
        "import json, sysconfig as s; v = s.get_config_var\n"
        "print(json.dumps([s.get_path('include'), v('LIBDIR'), v('LDVERSION'), v('Py_ENABLE_SHARED')]))"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, check=True)
    include, folder, version, is_shared = json.loads(done.stdout)
    if not is_shared:
        pytest.skip("this Python is not shared")
    return [f"-I{include}", f"-L{folder}", f"-lpython{version}", f"-Wl,-rpath,{folder}"]


def _seen(spool: Path, file: Path) -> set[tuple[str, str | None]]:
    records = package.Spool(spool).records()
    return {(one.kind, one.source) for one in records if one.target == str(file) or one.kind == "connect"}


_ALL = {("open", "audit+native"), ("open", "native"), ("connect", "audit+native")}


def test_an_executable_may_stand_in_for_functions(a_python: str, spool: Path, tmp_path: Path) -> None:
    """Everybody calls them through the executable's table, which is redirected: not into a circle."""
    embeds = _built(tmp_path / "embeds", _EMBEDS, "-no-pie", "-fno-pic", *_flags(a_python))
    file = tmp_path / "file"
    done = gnomon("run", "--spool", spool, embeds, "-c", _ACTS.format(file=str(file))).checked()
    assert done.stdout == b"unharmed\n" and _seen(spool, file) == _ALL


def test_what_was_preloaded_is_still_called(a_python: str, spool: Path, tmp_path: Path) -> None:
    counts = _built(tmp_path / "counts.so", _COUNTS, "-shared", "-fPIC", "-ldl")
    file, code = tmp_path / "file", _ACTS.format(file=str(tmp_path / "file"))
    argv = ["env", f"LD_PRELOAD={counts}", a_python, "-c", code]
    done = gnomon("run", "--spool", spool, *argv).checked()
    assert done.stdout == b"unharmed\n" and b"1 connects" in done.stderr and _seen(spool, file) == _ALL


def test_what_cannot_be_written_is_told(a_python: str, spool: Path, tmp_path: Path) -> None:
    protects = _built(tmp_path / "protects", _PROTECTS)
    if subprocess.run([protects], check=False).returncode:
        pytest.skip("system calls cannot be filtered here")
    code = f"import sqlite3; sqlite3.connect({str(tmp_path / 'db')!r}).execute('create table t (x)')"
    gnomon("run", "--spool", spool, protects, a_python, "-c", code + "; print(1)").checked()
    blind = [record for record in package.Spool(spool).records() if record.kind == "blind"]
    assert "not redirected: protection" in {record.detail for record in blind}


def test_memory_of_another_malloc(a_python: str, spool: Path, tmp_path: Path) -> None:
    found = Path("/usr/lib").glob("*/libjemalloc.so.2")
    library = next(found, None)
    if library is None:
        pytest.skip("no jemalloc here")
    file, code = tmp_path / "file", _ACTS.format(file=str(tmp_path / "file"))
    argv = ["env", f"LD_PRELOAD={library}", a_python, "-c", code]
    done = gnomon("run", "--spool", spool, *argv).checked()
    assert done.stdout == b"unharmed\n" and _seen(spool, file) == _ALL
