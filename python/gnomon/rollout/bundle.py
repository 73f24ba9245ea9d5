"""The payload as one file for IT's own tools: a tarball, a Debian package, an RPM.

Each unpacks the payload and what configures it, and calls the payload's own program to install and to remove:
on the machine, with whichever Python is there. A Debian package and an RPM are built by `dpkg-deb` and
`rpmbuild`, which know their formats best.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import payload, policies, settings
from .errors import RolloutError, RolloutUsageError
from .layout import Layout

FORMATS = ("tar", "deb", "rpm")
# Where a package puts what its scripts install from; what processes load is a copy, which an upgrade of the
# package leaves alone.
HOME = "/usr/lib/gnomon"
_CONFIG = "/etc/gnomon"
_SUMMARY = "Records what the Python programs of this machine do"
_PURPOSE = (
    "Installing it has every Python of the machine recorded and under policy; removing it takes that back."
)
_ELF_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64", 0x03: "i386", 0xF3: "riscv64"}
_DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}

# Before any: a bundle of the same files is the same bytes. Some tars warn of what is older.
_OLDEST = 315532800  # 1980-01-01

_SHELL = r"""
# The Python that does the work: any from 3.9 on that only root can change, for root will run it.
gnomon_is_python() {
    case "$1" in /*) ;; *) return 1 ;; esac
    [ -x "$1" ] || return 1
    case "$(stat -L -c '%u %A' "$1" 2>/dev/null)" in 0\ ?????-??-?) ;; *) return 1 ;; esac
    "$1" -I -S -c 'import sys, zlib; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1
}
gnomon_python() {
    for python in /usr/bin/python3 /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9] \
        /usr/libexec/platform-python /usr/local/bin/python3 /usr/local/bin/python3.[0-9] \
        /usr/local/bin/python3.[0-9][0-9] /opt/*/bin/python3 "$(command -v python3 || true)"; do
        if gnomon_is_python "$python"; then
            echo "$python"
            return 0
        fi
    done
    echo "gnomon: no Python 3.9 or later is here to do this; nothing was changed" >&2
    return 1
}
"""
_INSTALL = """
    if python=$(gnomon_python); then
        "$python" -I {home}/payload/rollout.pyz install --all --yes ||
            echo "gnomon: not all is covered: see '$python -I {home}/payload/rollout.pyz doctor'" >&2
    fi
"""
_REMOVE = """
    if python=$(gnomon_python); then
        "$python" -I {home}/payload/rollout.pyz uninstall --all
    fi
"""
_HEAD = r"""#!/bin/sh
# {does} Run it as root.
set -eu
umask 022
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ "$(id -u)" != 0 ]; then
    echo "gnomon: only root can do this; nothing was changed" >&2
    exit 2
fi
{shell}
python=$(gnomon_python)
"""
# What a bundle says holds: the next one changes it. What was there before any is put back at the end.
_COPY = r"""
if [ -d "$here/etc/gnomon" ]; then
    set -- --config "$here/etc/gnomon/gnomon.toml" "$@"
fi
case " $* " in *" --dry-run "*) exec "$python" -I "$here/payload/rollout.pyz" install --all "$@" ;; esac
if [ -d "$here/etc/gnomon" ]; then
    shift 2
    mkdir -p /etc/gnomon
    (cd "$here/etc/gnomon" && find . -type f) | while read -r file; do
        target="/etc/gnomon/${file#./}"
        if ! grep -qxF "$file" /etc/gnomon/.bundled 2>/dev/null; then
            if [ -e "$target" ]; then
                mv "$target" "$target.before-gnomon"
            fi
            echo "$file" >>/etc/gnomon/.bundled
        fi
        mkdir -p "$(dirname "$target")"
        cp "$here/etc/gnomon/$file" "$target.new"
        chmod 0644 "$target.new"
        mv "$target.new" "$target"
    done
fi
exec "$python" -I "$here/payload/rollout.pyz" install --all --yes "$@"
"""
_TAKE_BACK = r"""
"$python" -I "$here/payload/rollout.pyz" uninstall --all "$@"
case " $* " in *" --dry-run "*) exit 0 ;; esac
if [ -f /etc/gnomon/.bundled ]; then
    while read -r file; do
        target="/etc/gnomon/${file#./}"
        rm -f "$target"
        if [ -e "$target.before-gnomon" ]; then
            mv "$target.before-gnomon" "$target"
        fi
        rmdir "$(dirname "$target")" 2>/dev/null || true
    done </etc/gnomon/.bundled
    rm -f /etc/gnomon/.bundled
    rmdir /etc/gnomon 2>/dev/null || true
fi
"""


@dataclass(frozen=True)
class Bundle:
    """What a bundle is made of.

    Attributes:
        version: Of gnomon.
        machine: The processor that its library is for.
        files: Contents by absolute path on the machine.
        config: Those of them that the machine's owner may change.
    """

    version: str
    machine: str
    files: dict[str, bytes]
    config: tuple[str, ...]


def make(config: str | None, policies: tuple[str, ...]) -> Bundle:
    """Puts together the running gnomon's payload, and what the machine's owner wrote.

    Args:
        config: A gnomon.toml.
        policies: Policy files that hold besides those that it names.

    Raises:
        RolloutError: One of them is wrong, or cannot be read.
    """
    own = payload.own()
    files = {f"{HOME}/payload/{name}": data for name, data in own.items()}
    written = _configuration(config, policies)
    version = payload.name_of(own).rpartition("-")[0]
    return Bundle(version, _machine(own), {**files, **written}, tuple(written))


def _configuration(config: str | None, more: tuple[str, ...]) -> dict[str, bytes]:
    """The configuration as it is to be on the machine: policies are compiled, with their lists."""
    place = Layout()
    found = settings.read(config, place.spool, is_needed=True) if config else settings.Settings(place.spool)
    paths = tuple(dict.fromkeys((*found.policies, *map(os.path.abspath, more))))
    compiled = {_name(path): policies.compiled_one(path) for path in paths}
    if len(compiled) < len(paths):
        raise RolloutError("cannot bundle two policy files of the same name", hint="rename one of them")
    files = {f"{_CONFIG}/{name}": data for name, data in compiled.items()}
    if config or paths:
        tables = settings.tables(config) if config else {}
        files[f"{_CONFIG}/gnomon.toml"] = _as_toml(tables, list(compiled)).encode()
    return files


def _name(path: str) -> str:
    """What a policy is called on the machine: in a name that shells, dpkg and rpm take as it is."""
    from ..policy import SUFFIX

    stem = os.path.splitext(os.path.basename(path))[0]
    return f"policies/{re.sub(r'[^A-Za-z0-9._-]', '_', stem)}{SUFFIX}"


def _as_toml(tables: Mapping[str, Mapping[str, Any]], names: list[str]) -> str:
    """The configuration, with the policies' names on the machine as its `files`.

    Written anew: what was checked is what is written, whatever the source looked like.
    """
    told = {name: dict(table) for name, table in tables.items()}
    if names:
        told.setdefault("policy", {})["files"] = names
    lines = ["# made by `gnomon bundle`: the file that it was made from is the one to change"]
    for name, table in told.items():
        lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join([*lines, ""])


def _value(value: object) -> str:
    """A text, number, truth value or list of texts, as TOML writes them: as JSON does, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _machine(files: payload.Files) -> str:
    library = next(data for name, data in sorted(files.items()) if name.startswith("_native."))
    number = int.from_bytes(library[18:20], "little") if library[:4] == b"\x7fELF" else 0
    try:
        return _ELF_MACHINES[number]
    except KeyError:
        raise RolloutError(f"cannot bundle: its library is for an unknown processor ({number})") from None


def write(bundle: Bundle, form: str, directory: str, maintainer: str) -> str:
    """Writes `bundle` in one of the `FORMATS` into `directory`, and returns the path.

    Raises:
        RolloutError: The tool that builds it is not here, or failed; or it cannot be written there.
    """
    make = {"tar": _tar, "deb": _deb, "rpm": _rpm}.get(form)
    if make is None:
        raise RolloutUsageError(f"cannot bundle as `{form}`", hint="say " + ", ".join(FORMATS))
    if not re.fullmatch(r"[^\n\r\0]+ <[^\s<>]+>", maintainer):
        raise RolloutUsageError(
            f"cannot name the maintainer {maintainer!r}", hint="say `Jo Doe <jo@example.com>`"
        )
    try:
        os.makedirs(directory, exist_ok=True)
        # Under another name first: a bundle is whole or not there.
        with tempfile.TemporaryDirectory(prefix=".gnomon-bundle-", dir=directory) as unfinished:
            made = make(bundle, unfinished, maintainer)
            return shutil.move(made, os.path.join(directory, os.path.basename(made)))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RolloutError(
            f"cannot write `{error.filename or directory}`: {reason}", hint="name another place with --output"
        ) from None


def _tar(bundle: Bundle, directory: str, _: str) -> str:
    name = f"gnomon-{bundle.version}-{bundle.machine}"
    path = f"{directory}/{name}.tar.gz"
    with open(path, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=_moment()) as packed:
        _write_tar(name, packed, {**_relative(bundle), **_scripts()})
    return path


def _write_tar(name: str, target: gzip.GzipFile, files: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for place, data in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{place}")
            entry.size, entry.mtime = len(data), _moment()
            entry.mode = 0o755 if place.endswith(".sh") else 0o644
            entry.uname = entry.gname = "root"
            archive.addfile(entry, io.BytesIO(data))


def _moment() -> int:
    """Of the files (https://reproducible-builds.org/specs/source-date-epoch/)."""
    said = os.environ.get("SOURCE_DATE_EPOCH", str(_OLDEST))
    if not said.isdecimal():
        raise RolloutUsageError(f"cannot use SOURCE_DATE_EPOCH={said}", hint="name a number of seconds")
    return int(said)


def _relative(bundle: Bundle) -> dict[str, bytes]:
    """The files as they lie beside the tarball's scripts."""
    return {
        place[len(HOME) + 1 :] if place.startswith(HOME) else place[1:]: data
        for place, data in bundle.files.items()
    }


def _scripts() -> dict[str, bytes]:
    install = _HEAD.format(does="Has all Pythons of this machine recorded.", shell=_SHELL) + _COPY
    remove = _HEAD.format(does="Takes gnomon out of all Pythons of this machine.", shell=_SHELL) + _TAKE_BACK
    return {"install.sh": install.encode(), "remove.sh": remove.encode()}


@contextlib.contextmanager
def _staged(bundle: Bundle) -> Iterator[str]:
    """The files below a temporary directory, as they are to lie on the machine."""
    with tempfile.TemporaryDirectory(prefix="gnomon-bundle-") as top:
        root = f"{top}/root"
        for place, data in bundle.files.items():
            os.makedirs(os.path.dirname(root + place), mode=0o755, exist_ok=True)
            with open(root + place, "wb") as file:
                file.write(data)
            os.chmod(root + place, 0o644)
        for base, _, _ in os.walk(root):
            os.chmod(base, 0o755)
        yield root


def _deb(bundle: Bundle, directory: str, maintainer: str) -> str:
    tool = _tool("dpkg-deb", "it is part of every Debian and Ubuntu, and elsewhere in the package dpkg")
    machine = _DEBIAN.get(bundle.machine, bundle.machine)
    path = f"{directory}/gnomon_{_sortable(bundle.version)}_{machine}.deb"
    with _staged(bundle) as root:
        os.mkdir(f"{root}/DEBIAN", 0o755)
        for name, text in _control(bundle, machine, maintainer).items():
            with open(f"{root}/DEBIAN/{name}", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(file.name, 0o755 if name in ("postinst", "prerm") else 0o644)
        # xz: what is older than 2021 knows no zstd.
        _run([tool, "--root-owner-group", "-Zxz", "--build", root, path])
    return path


def _control(bundle: Bundle, machine: str, maintainer: str) -> dict[str, str]:
    """The files that tell dpkg what it is about."""
    size = sum(map(len, bundle.files.values())) // 1024 + 1
    control = (
        f"Package: gnomon\nVersion: {_sortable(bundle.version)}\nArchitecture: {machine}\n"
        f"Maintainer: {maintainer}\nInstalled-Size: {size}\nSection: admin\nPriority: optional\n"
        f"Depends: libc6\nDescription: {_SUMMARY}\n {_PURPOSE}\n"
    )
    install, remove = (text.format(home=HOME) for text in (_INSTALL, _REMOVE))
    start = "#!/bin/sh\nset -e\n" + _SHELL
    return {
        "control": control,
        "conffiles": "".join(f"{path}\n" for path in bundle.config),
        "postinst": f'{start}if [ "$1" = configure ]; then{install}fi\n',
        "prerm": f'{start}if [ "$1" = remove ]; then{remove}fi\n',
    }


def _sortable(version: str) -> str:
    """A version of Python's as dpkg and rpm order them: what comes before a release has a tilde."""
    return re.sub(r"\.?(a|b|rc|dev)(\d)", r"~\1\2", version).replace("-", "~")


def _rpm(bundle: Bundle, directory: str, maintainer: str) -> str:
    tool = _tool("rpmbuild", "install it: `apt-get install rpm`, or `dnf install rpm-build`")
    with _staged(bundle) as root:
        top = os.path.dirname(root)
        with open(f"{top}/gnomon.spec", "w", encoding="utf-8") as file:
            file.write(_spec(bundle, root, maintainer))
        place = f"_topdir {_without_macros(top)}/build"
        _run([tool, "-bb", "--quiet", "--target", bundle.machine, "--define", place, file.name])
        (made,) = _found(f"{top}/build/RPMS", ".rpm")
        return shutil.copy(made, directory)


def _spec(bundle: Bundle, root: str, maintainer: str) -> str:
    return _SPEC.format(
        version=_sortable(bundle.version),
        summary=_SUMMARY,
        purpose=_PURPOSE,
        maintainer=_without_macros(maintainer),
        shell=_without_macros(_SHELL),
        install=_INSTALL.format(home=HOME),
        remove=_REMOVE.format(home=HOME),
        root=_without_macros(shlex.quote(root)),
        files="\n".join(_listed(bundle)),
    )


def _listed(bundle: Bundle) -> Iterator[str]:
    """Files and directories that are the package's own, as rpm wants to be told."""
    for directory in sorted({os.path.dirname(path) for path in bundle.files} | {HOME, _CONFIG}):
        if directory != _CONFIG or bundle.config:
            yield f"%dir {directory}"
    for path in sorted(bundle.files):
        yield f"%config(noreplace) {path}" if path in bundle.config else path


def _without_macros(text: str) -> str:
    return text.replace("%", "%%")


# w6.xzdio: an rpm of before 2018 knows no zstd.
_SPEC = """\
%global _build_id_links none
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%global _binary_payload w6.xzdio
%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global _buildhost gnomon
Name: gnomon
Version: {version}
Release: 1
Summary: {summary}
License: Apache-2.0
Packager: {maintainer}
AutoReqProv: no
%description
{purpose}
%install
mkdir -p %{{buildroot}}
cp -a {root}/. %{{buildroot}}/
%files
%defattr(-,root,root)
{files}
%post
{shell}
{install}
exit 0
%preun
if [ "$1" = 0 ]; then
{shell}
{remove}
fi
exit 0
"""


def _found(directory: str, ending: str) -> list[str]:
    return [
        f"{base}/{name}" for base, _, names in os.walk(directory) for name in names if name.endswith(ending)
    ]


def _tool(name: str, hint: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RolloutError(f"cannot build the package: `{name}` is not here", hint=hint)
    return found


def _run(command: list[str]) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(_moment())}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RolloutError(f"cannot build the package: {command[0]} failed: {said[-1] if said else ''}")
