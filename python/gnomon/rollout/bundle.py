"""The payload as one file for IT's own tools: a tarball, a Debian package, an RPM.

Each unpacks the payload and what configures it, and calls the payload's own program to install and to remove:
on the machine, with whichever Python is there. A Debian package and an RPM are built by `dpkg-deb` and
`rpmbuild`, which know their formats best.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from . import payload, settings
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

_SHELL = r"""
# The Python that does the work: any from 3.9 on.
gnomon_python() {
    for python in /usr/bin/python3 /usr/bin/python3.* /usr/libexec/platform-python /usr/local/bin/python3 \
        /usr/local/bin/python3.* /opt/*/bin/python3 "$(command -v python3 || true)"; do
        if [ -x "$python" ] &&
            "$python" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
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


def _configuration(config: str | None, policies: tuple[str, ...]) -> dict[str, bytes]:
    """The configuration as it is to be on the machine: policies are compiled, with their lists."""
    place = Layout()
    found = settings.read(config, place.spool, is_needed=True) if config else settings.Settings(place.spool)
    paths = tuple(dict.fromkeys((*found.policies, *map(os.path.abspath, policies))))
    compiled = {_name(path): _compiled(path) for path in paths}
    if len(compiled) < len(paths):
        raise RolloutError("cannot bundle two policy files of the same name", hint="rename one of them")
    files = {f"{_CONFIG}/{name}": data for name, data in compiled.items()}
    text = _read(config).decode() if config else ""
    if config or paths:
        files[f"{_CONFIG}/gnomon.toml"] = _with_policies(text, list(compiled)).encode()
    return files


def _name(path: str) -> str:
    from ..policy import SUFFIX

    return f"policies/{os.path.splitext(os.path.basename(path))[0]}{SUFFIX}"


def _compiled(path: str) -> bytes:
    from ..policy import PolicyError, compiled

    try:
        return compiled([path])
    except (PolicyError, OSError) as error:
        raise RolloutError(f"cannot use the policy `{path}`: {error}", hint="mend it") from None


def _with_policies(text: str, names: list[str]) -> str:
    """The configuration, with the policies' names on the machine as its `files`."""
    if not names:
        return text
    line = "files = [" + ", ".join(f'"{name}"' for name in names) + "]"
    lines = text.splitlines()
    at = next((at for at, one in enumerate(lines) if one.strip().replace(" ", "") == "[policy]"), None)
    if at is None:
        return "\n".join([*lines, "", "[policy]", line, ""])
    end = next((n for n in range(at + 1, len(lines)) if lines[n].lstrip().startswith("[")), len(lines))
    body = _without_files(lines[at + 1 : end])
    return "\n".join([*lines[: at + 1], line, *body, *lines[end:], ""])


def _without_files(lines: list[str]) -> list[str]:
    kept: list[str] = []
    is_inside = False
    for line in lines:
        if line.partition("=")[0].strip() == "files" or is_inside:
            is_inside = "]" not in line.partition("#")[0]
            continue
        kept.append(line)
    return kept


def _machine(files: payload.Files) -> str:
    library = next(data for name, data in sorted(files.items()) if name.startswith("_native."))
    number = int.from_bytes(library[18:20], "little") if library[:4] == b"\x7fELF" else 0
    try:
        return _ELF_MACHINES[number]
    except KeyError:
        raise RolloutError(f"cannot bundle: its library is for an unknown processor ({number})") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RolloutError(f"cannot read `{path}`: {reason}", hint="look at the path") from None


def write(bundle: Bundle, form: str, directory: str, maintainer: str) -> str:
    """Writes `bundle` in one of the `FORMATS` into `directory`, and returns the path.

    Raises:
        RolloutError: The tool that builds it is not here, or failed.
    """
    os.makedirs(directory, exist_ok=True)
    if form == "tar":
        return _tar(bundle, directory)
    if form == "deb":
        return _deb(bundle, directory, maintainer)
    if form == "rpm":
        return _rpm(bundle, directory, maintainer)
    raise RolloutUsageError(f"cannot bundle as `{form}`", hint="say " + ", ".join(FORMATS))


def _tar(bundle: Bundle, directory: str) -> str:
    name = f"gnomon-{bundle.version}-{bundle.machine}"
    path = f"{directory}/{name}.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for place, data in {**_relative(bundle), **_scripts()}.items():
            entry = tarfile.TarInfo(f"{name}/{place}")
            entry.size, entry.mode, entry.mtime = (
                len(data),
                0o755 if place.endswith(".sh") else 0o644,
                _moment(),
            )
            entry.uname = entry.gname = "root"
            archive.addfile(entry, io.BytesIO(data))
    return path


def _moment() -> int:
    """Of the files (https://reproducible-builds.org/specs/source-date-epoch/)."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def _relative(bundle: Bundle) -> dict[str, bytes]:
    """The files as they lie beside the tarball's scripts."""
    return {
        place[len(HOME) + 1 :] if place.startswith(HOME) else place[1:]: data
        for place, data in bundle.files.items()
    }


def _scripts() -> dict[str, bytes]:
    head = '#!/bin/sh\n# {does}\nset -eu\nhere=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)\n' + _SHELL
    copy = (
        'if [ -d "$here/etc/gnomon" ]; then\n'
        "    # What is there already is the machine's owner's.\n"
        '    (cd "$here/etc/gnomon" && find . -type f) | while read -r file; do\n'
        '        [ -e "/etc/gnomon/$file" ] ||\n'
        '            install -D -m 0644 "$here/etc/gnomon/$file" "/etc/gnomon/$file"\n'
        "    done\n"
        "fi\n"
    )
    run = 'python=$(gnomon_python)\nexec "$python" -I "$here/payload/rollout.pyz" {verb} "$@"\n'
    install = head.replace("DOES", "Has all Pythons of this machine recorded; run it as root.") + copy
    remove = head.replace("DOES", "Takes gnomon out of all Pythons of this machine; run it as root.")
    return {
        "install.sh": (install + run.format(verb="install --all --yes")).encode(),
        "remove.sh": (remove + run.format(verb="uninstall --all")).encode(),
    }


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
    path = f"{directory}/gnomon_{bundle.version}_{machine}.deb"
    control = (
        f"Package: gnomon\nVersion: {bundle.version}\nArchitecture: {machine}\nMaintainer: {maintainer}\n"
        f"Section: admin\nPriority: optional\nDepends: libc6\nDescription: {_SUMMARY}\n"
        f" {_PURPOSE}\n"
    )
    install, remove = (text.format(home=HOME) for text in (_INSTALL, _REMOVE))
    start = "#!/bin/sh\nset -e\n" + _SHELL
    control_files = {
        "control": control,
        "conffiles": "".join(f"{path}\n" for path in bundle.config),
        "postinst": f'{start}if [ "$1" = configure ]; then{install}fi\n',
        "prerm": f'{start}if [ "$1" = remove ]; then{remove}fi\n',
    }
    with _staged(bundle) as root:
        os.mkdir(f"{root}/DEBIAN", 0o755)
        for name, text in control_files.items():
            with open(f"{root}/DEBIAN/{name}", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(f"{root}/DEBIAN/{name}", 0o755 if name in ("postinst", "prerm") else 0o644)
        # xz: what is older than 2021 knows no zstd.
        _run([tool, "--root-owner-group", "-Zxz", "--build", root, path])
    return path


def _rpm(bundle: Bundle, directory: str, maintainer: str) -> str:
    tool = _tool("rpmbuild", "install it: `apt-get install rpm`, or `dnf install rpm-build`")
    config = set(bundle.config)
    listed = "".join(
        f"{'%config(noreplace) ' if path in config else ''}{path}\n" for path in sorted(bundle.files)
    )
    with _staged(bundle) as root:
        top = os.path.dirname(root)
        spec = _SPEC.format(
            version=bundle.version.replace("-", "~"),
            summary=_SUMMARY,
            purpose=_PURPOSE,
            maintainer=maintainer,
            shell=_SHELL.replace("%", "%%"),
            install=_INSTALL.format(home=HOME),
            remove=_REMOVE.format(home=HOME),
            root=root,
            files=listed,
        )
        with open(f"{top}/gnomon.spec", "w", encoding="utf-8") as file:
            file.write(spec)
        _run(
            [
                tool,
                "-bb",
                "--quiet",
                "--target",
                bundle.machine,
                "--define",
                f"_topdir {top}/build",
                file.name,
            ]
        )
        (made,) = _found(f"{top}/build/RPMS", ".rpm")
        return shutil.copy(made, directory)


_SPEC = """\
%global _build_id_links none
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
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
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RolloutError(f"cannot build the package: {command[0]} failed: {said[-1] if said else ''}")
