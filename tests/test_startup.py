"""What ran before the program: every start names an inventory of it, and what is new or changed is found."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from commands import gnomon, run
from gnomon import Spool, startup
from gnomon import _native as gnomon_library
from gnomon._native import examine_segment, preload_library
from gnomon.finding import Finding
from watching import Kept, armed, bare, environment


class Env:
    """A virtual environment."""

    def __init__(self, base: str, folder: Path, *options: str) -> None:
        command = [base, "-m", "venv", *(options or ("--without-pip",)), str(folder)]
        subprocess.run(command, check=True, env=environment(), capture_output=True)
        self.python = str(folder / "bin" / "python")
        (self.site,) = folder.glob("lib/python*/site-packages")

    def write(self, name: str, content: str) -> Path:
        path = self.site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        return path


@pytest.fixture
def env(python: str, tmp_path: Path) -> Env:
    """An environment of each version."""
    return Env(python, tmp_path / "env")


@pytest.fixture
def an_env(a_python: str, tmp_path: Path) -> Env:
    """One of the newest version, unless the run is long."""
    return Env(a_python, tmp_path / "env")


def _start(env: Env, spool: Path, **more: str) -> None:
    armed([env.python, "-c", "pass"], spool, **more).checked()


def _environment(spool: Path) -> dict[str, Any]:
    """The only one of the spool, as `gnomon startup --json` has it."""
    (found,) = json.loads(gnomon("startup", spool, "--json").checked().stdout)
    return dict(found)


def _hooks(spool: Path) -> dict[str, dict[str, Any]]:
    return {os.path.basename(hook["path"]): hook for hook in _environment(spool)["hooks"]}


def _changes(spool: Path) -> list[tuple[str, str]]:
    findings = _environment(spool)["findings"]
    return [(each["id"], os.path.basename(each["path"])) for each in findings if each["is_change"]]


def _inventories(spool: Path) -> list[str]:
    return sorted(path.name for path in spool.glob("startup-*.gnomon"))


def test_what_came_changed_and_went_is_told(env: Env, spool: Path) -> None:
    _start(env, spool)
    assert gnomon("startup", spool, "--fail-on-change").status == 0
    module = env.write("evil.py", "x = 1\n")
    pth = env.write("evil.pth", "import evil; evil.x\n")
    _start(env, spool)
    assert _changes(spool) == [("startup-hook-new", "evil.pth")]
    hook = _hooks(spool)["evil.pth"]
    assert (hook["status"], hook["owner"], hook["executed"]) == ("new", None, 1)
    assert hook["lines"] == ["import evil; evil.x"]
    assert [os.path.basename(each["path"]) for each in hook["modules"]] == ["evil.py"]
    assert gnomon("startup", spool, "--fail-on-change").status == 1

    # In place, as long as before, and with the old time: the file system still knows.
    before = pth.stat()
    pth.write_text("import evil;  evil.x")
    os.utime(pth, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pth.stat().st_size == before.st_size
    _start(env, spool)
    assert _changes(spool)[1:] == [("startup-hook-changed", "evil.pth")]

    module.write_text("x = 2\n")
    _start(env, spool)
    assert _changes(spool)[2:] == [("startup-hook-changed", "evil.pth")]
    assert "site-packages/evil.py, which it imports" in _environment(spool)["findings"][-1]["sentence"]

    pth.unlink()
    _start(env, spool)
    assert _hooks(spool)["evil.pth"]["status"] == "gone"
    said = gnomon("startup", spool).checked().stdout.decode()
    assert "gone" in said and "high: startup-hook-new" in said


def test_processes_that_find_the_same_share_an_inventory(env: Env, spool: Path) -> None:
    _start(env, spool)
    _start(env, spool, GNOMON_RUN="x")
    code = "import os\nif os.fork(): os.wait()\nelse: open('/dev/zero')"
    armed([env.python, "-c", code], spool).checked()
    (name,) = _inventories(spool)
    processes = Kept(spool).processes()
    assert len(processes) == 4 and {process.startup for process in processes} == {str(spool / name)}
    assert _environment(spool)["inventories"] == 1


def test_preloaded_it_looks_when_the_program_begins(env: Env, spool: Path, tmp_path: Path) -> None:
    if not preload_library():
        pytest.skip("nothing to preload on this system")
    library = Path(gnomon_library.__file__).resolve()
    (tmp_path / "payload").mkdir()
    (tmp_path / "payload" / "libgnomon_preload.so").write_bytes(preload_library())
    (tmp_path / "payload" / library.name).symlink_to(library)
    preload = {"LD_PRELOAD": str(tmp_path / "payload" / "libgnomon_preload.so"), "GNOMON_SPOOL": str(spool)}
    code = "import os\nif os.fork(): os.wait()\nelse: open('/dev/zero')"
    bare([env.python, "-c", code], **preload).checked()
    (first,) = _inventories(spool)
    processes = Kept(spool).processes()
    assert [process.loaded for process in processes] == ["preload"] * 2
    assert {process.startup for process in processes} == {str(spool / first)}
    env.write("evil.pth", "import sys; sys.evil = 1\n")
    many = "for number in range(30000):\n    try: open(f'/nowhere/{number}')\n    except OSError: pass"
    bare([env.python, "-c", many], **preload).checked()
    assert _changes(spool) == [("startup-hook-new", "evil.pth")]
    assert Kept(spool).faults() == []
    # Each segment says it, and who tidies up keeps it.
    (last,) = {name for name in _inventories(spool)} - {first}
    segments = sorted(spool.glob(f"{Kept(spool).processes()[-1].id.replace('-', '')}*"))
    assert len(segments) > 1
    segments[0].unlink()
    assert Kept(spool).processes()[-1].startup == str(spool / last)
    folder = os.open(spool, os.O_RDONLY)
    needs = examine_segment(folder, segments[1].name, False)
    os.close(folder)
    assert needs is not None and last in needs.needs


def test_another_users_inventory_is_nobody_elses(an_env: Env, spool: Path) -> None:
    victim, other = spool / "1001", spool / "1002"
    victim.mkdir(parents=True, mode=0o700)
    other.mkdir(mode=0o700)
    an_env.write("evil.pth", "import sys; sys.evil = 1\n")
    _start(an_env, victim)
    (name,) = _inventories(victim)
    (victim / name).rename(other / name)
    (process,) = Kept(spool).processes()
    startups, faults = Spool(spool).startups()
    assert (list(startups), faults) == ([str(other / name)], [])
    assert process.startup == str(victim / name)
    assert startup.noted([process], startups) == []
    environments, problems = startup.history(Spool(spool))
    assert environments == [] and str(victim / name) in problems[0]


def test_a_finding_about_a_hook_says_what_others_say(an_env: Env, spool: Path) -> None:
    an_env.write("evil.pth", "import sys; sys.evil = 1\n")
    _start(an_env, spool)
    (environment,), _ = startup.history(Spool(spool))
    (found,) = environment.findings
    assert isinstance(found, Finding)
    assert set(Finding("", "low", "", "").as_dict()) <= set(found.as_dict())


def test_what_is_there_from_the_start_is_known_and_no_change(an_env: Env, spool: Path) -> None:
    an_env.write("path.pth", "/nowhere\n")
    an_env.write("hook.pth", "import sys; sys.hooked = True\n")
    an_env.write("_virtualenv.pth", "import _virtualenv")
    an_env.write("_virtualenv.py", "")
    _start(an_env, spool)
    hooks = _hooks(spool)
    assert {hook["status"] for hook in hooks.values()} == {"known"}
    assert (hooks["path.pth"]["executes"], hooks["hook.pth"]["executes"]) == (False, True)
    assert (hooks["_virtualenv.pth"]["owner"], hooks["sitecustomize.py"]["owner"]) == ("virtualenv", "gnomon")
    found = [(each["id"], each["severity"]) for each in _environment(spool)["findings"]]
    assert found == [("startup-hook-unowned", "high")]


def test_an_editable_install_owns_its_pth(a_python: str, spool: Path, tmp_path: Path) -> None:
    backend = """
import base64, hashlib, zipfile
FILES = {
    "__editable__.tool-1.5.pth": "import _tool_finder; _tool_finder.x",
    "_tool_finder.py": "x = 1\\n",
    "tool-1.5.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tool\\nVersion: 1.5\\n",
    "tool-1.5.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    wheel_name, rows = "tool-1.5-py3-none-any.whl", []
    with zipfile.ZipFile(wheel_directory + "/" + wheel_name, "w") as wheel:
        for name, content in FILES.items():
            wheel.writestr(name, content)
            digest = hashlib.sha256(content.encode()).digest()
            digest = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            rows.append(name + ",sha256=" + digest + "," + str(len(content)))
        wheel.writestr("tool-1.5.dist-info/RECORD", "\\n".join([*rows, "tool-1.5.dist-info/RECORD,,", ""]))
    return wheel_name
"""
    source = tmp_path / "source"
    source.mkdir()
    (source / "backend.py").write_text(backend)
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    env = Env(a_python, tmp_path / "env", "--clear")
    _start(env, spool)
    command = [env.python, "-m", "pip", "install", "--no-index", "--no-build-isolation", "-qe", str(source)]
    bare(command).checked()
    _start(env, spool)
    hook = _hooks(spool)["__editable__.tool-1.5.pth"]
    assert (hook["status"], hook["owner"], hook["is_as_installed"]) == ("new", "tool 1.5", True)
    (module,) = hook["modules"]
    assert (module["distribution"], module["is_as_installed"]) == ("tool", True)
    (finding,) = _environment(spool)["findings"]
    assert (finding["severity"], "tool==1.5" in finding["remedy"]) == ("medium", True)
    # What somebody puts into it later is not what was installed.
    env.write("_tool_finder.py", "x = 2\n")
    _start(env, spool)
    finding = _environment(spool)["findings"][-1]
    assert (finding["id"], finding["severity"]) == ("startup-hook-changed", "high")


def test_odd_files_are_noted_and_change_nothing_of_the_program(env: Env, spool: Path, tmp_path: Path) -> None:
    env.write("tool/__init__.py", "def begin(): pass\n")
    env.write("cov.pth", "import tool; tool.begin()\n")
    env.write("both.start", "tool:begin\n")
    (env.site / "real").write_text("import tool\n")
    (env.site / "link.pth").symlink_to("real")
    (env.site / "lost.pth").symlink_to("nowhere")
    (env.site / "folder.pth").mkdir()
    (env.site / "big.pth").write_text("# x\n" * 30_000)
    Path(os.fsdecode(bytes(env.site) + b"/caf\xe9.pth")).write_text("import tool\n")
    code = (
        "import sys; print(sorted(sys.modules), [p for p in sys.path if 'bootstrap' not in p]); sys.exit(7)"
    )
    watched, plain = armed([env.python, "-c", code], spool), bare([env.python, "-c", code])
    assert (watched.status, watched.stderr) == (plain.status, plain.stderr)
    assert watched.stdout == plain.stdout
    hooks = _hooks(spool)
    assert hooks["cov.pth"]["modules"][0]["path"].endswith("tool/__init__.py")
    assert (hooks["both.start"]["kind"], hooks["both.start"]["lines"]) == ("start", ["tool:begin"])
    assert (hooks["link.pth"]["target"], hooks["link.pth"]["executed"]) == ("real", 1)
    assert hooks["lost.pth"]["problem"] == "leads nowhere"
    assert hooks["folder.pth"]["problem"] == "not a regular file"
    assert (hooks["big.pth"]["problem"], hooks["big.pth"]["sha256"]) == ("longer than 64 KB", None)
    assert hooks["caf\udce9.pth"]["executed"] == 1
    assert b"caf\\xe9.pth" in gnomon("startup", spool).checked().stdout


def test_a_pipe_is_not_waited_for_and_a_flood_is_counted(an_env: Env, spool: Path, tmp_path: Path) -> None:
    # On the search path by PYTHONPATH: there site.py itself, which would wait for the pipe, does not look.
    site = tmp_path / "site-packages"
    site.mkdir()
    os.mkfifo(site / "a.pth")
    _start(an_env, spool, PYTHONPATH=str(site))
    hook = _hooks(spool)["a.pth"]
    assert (hook["problem"], hook["sha256"]) == ("not a regular file", None)
    for number in range(10_000):
        (site / f"b{number}.pth").touch()
    _start(an_env, spool, PYTHONPATH=str(site))
    finding = _environment(spool)["findings"][-1]
    assert finding["id"] == "startup-hooks-unseen" and "9,80" in finding["sentence"]
    assert gnomon("verify", spool).checked()


def test_a_sitecustomize_that_comes_before_others_is_found(an_env: Env, spool: Path, tmp_path: Path) -> None:
    _start(an_env, spool)
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "usercustomize.py").write_text("x = 1\n")
    _start(an_env, spool, PYTHONPATH=str(tmp_path / "before"))
    assert _changes(spool) == [("startup-hook-new", "usercustomize.py")]
    _start(an_env, spool)  # another search path: it is not gone
    assert _hooks(spool)["usercustomize.py"]["status"] == "new"


def test_the_answer_names_what_ran_before_the_program(an_env: Env, spool: Path) -> None:
    run(spool, an_env.python, "-c", "pass").checked()
    assert b"  Startup " not in gnomon("show", spool).checked().stdout
    an_env.write("evil.pth", "import sys; sys.evil = 'password=hunter2'\n")
    run(spool, an_env.python, "-c", "pass").checked()
    said = gnomon("show", spool, COLUMNS="140").checked().stdout.decode()
    assert "Startup    ran code before the program: evil.pth (new); see `gnomon startup`" in said
    run(spool, an_env.python, "-c", "pass").checked()
    said = gnomon("show", spool, COLUMNS="140").checked().stdout.decode()
    assert "evil.pth (of no distribution)" in said
    receipt = json.loads(gnomon("show", spool, "--format", "json").checked().stdout)["coverage"]
    assert [finding["id"] for finding in receipt["startup"]] == ["startup-hook-unowned"]
    assert receipt["is_complete"] is True
    kept = b"".join(path.read_bytes() for path in spool.iterdir())
    assert b"hunter2" not in kept


def test_damage_is_found_and_what_is_missing_is_said(an_env: Env, spool: Path) -> None:
    _start(an_env, spool)
    assert gnomon("verify", spool).status == 0
    assert gnomon("events", spool).status == 0
    (name,) = _inventories(spool)
    content = bytearray((spool / name).read_bytes())
    content[300] ^= 1
    (spool / name).write_bytes(content)
    assert gnomon("verify", spool).status == 1
    assert Spool(spool).startups()[1][0].severity == "corrupt"
    (spool / name).unlink()
    done = gnomon("startup", spool).checked()
    assert name.encode() in done.stderr and b"no inventory" in done.stdout


def test_the_example_in_the_documentation_is_what_is_said(an_env: Env, spool: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "startup.md").read_text()
    shown = page.split("$ gnomon startup SPOOL\n")[1].split("```")[0]
    script = tmp_path / "report.py"
    script.write_text("x = 1\n")
    armed([an_env.python, script], spool).checked()
    an_env.write("evil.py", "x = 1\n")
    an_env.write("evil.pth", "import evil; evil.x\n")
    armed([an_env.python, script], spool).checked()
    said = gnomon("startup", spool).checked().stdout.decode()

    def settled(text: str) -> list[str]:
        """What is the same on every machine; hooks are sorted by their paths."""
        volatile = r"\S*(?=/lib/python)|\S*(?=/bootstrap)|\S*(?=/report.py)|^\S+(?=: )|(?<=seen by )\S+"
        volatile += r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|(?<=ython)[ \d.]+\d"
        return sorted(re.sub(volatile, "~", text, flags=re.MULTILINE).splitlines())

    assert settled(said) == settled(shown)
