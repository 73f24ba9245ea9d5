"""Nothing secret reaches the disk, and what is no secret arrives as it was."""

from __future__ import annotations

import json
import os
import random
import re
import string
import sys
from pathlib import Path
from typing import Any

import pytest
import tomllib

from watching import Kept, armed, bare, program

CORPUS = tomllib.loads((Path(__file__).parent / "secrets.toml").read_text())
LETTERS = {
    "": string.ascii_letters + string.digits,
    "A": string.ascii_uppercase + string.digits,
    "x": string.digits + "abcdef",
    "n": string.digits,
    "b": string.ascii_letters + string.digits,
}


class Filled:
    """The corpus with random secrets, and what these are."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.secrets: list[str] = []
        self.texts: list[str] = [self._fill(text) for text in CORPUS["secret"]]
        self.commands: list[list[str]] = [[self._fill(word) for word in argv] for argv in CORPUS["command"]]
        self.harmless: list[str] = CORPUS["harmless"]

    def _fill(self, template: str) -> str:
        def random_text(match: re.Match[str]) -> str:
            letters, length = match[1], int(match[2])
            text = "".join(self._chance.choices(LETTERS[letters], k=length))
            if letters in ("", "b"):
                # As nearly every real one: each sort of letter, more than once.
                text = text[: length - 6] + "".join(self._chance.sample("Qz7Wk4", 6))
            if length > 6 and letters != "n":
                self.secrets.append(text)
            return text

        return re.sub(r"\{([Axnb]?)(\d+)\}", random_text, template)

    def survivors(self, spool: Path) -> list[str]:
        """Secrets of which some part is in the spool, as bytes or in a record."""
        stored = b"".join(path.read_bytes() for path in spool.rglob("*") if path.is_file())
        kept = Kept(spool)
        told = [repr(_fields(one)) for one in (*kept.records(), *kept.processes())]
        everything = stored + "".join(told).encode(errors="replace")
        halves = ((one, one[:10], one[-10:]) if len(one) > 20 else (one, one) for one in self.secrets)
        found = [whole for whole, *parts in halves if any(part.encode() in everything for part in parts)]
        return [text for text in (*self.texts, *map(str, self.commands)) if any(one in text for one in found)]


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in dir(one) if not name.startswith("_")}


@pytest.fixture
def corpus(chance: random.Random) -> Filled:
    filled = Filled(chance)
    assert len(filled.texts) + len(filled.commands) + len(filled.harmless) >= 200
    return filled


def _hand(how: str, texts: list[Any], python: str, spool: Path, cwd: Path) -> Kept:
    given = json.dumps(texts).encode()
    armed([python, program("holds_text.py"), how], spool, stdin=given, cwd=cwd).checked()
    return Kept(spool)


def test_no_secret_of_a_process_is_stored(a_python: str, spool: Path, tmp_path: Path, corpus: Filled) -> None:
    for start in range(0, len(corpus.texts), 20):
        texts = corpus.texts[start : start + 20]
        armed([a_python, "-c", "pass", *texts], spool, cwd=tmp_path).checked()
        code = "\n".join(f"x = {text!r}" for text in texts)
        armed([a_python, "-c", code], spool, cwd=tmp_path).checked()
        for text in texts:
            armed([a_python, "-c", f"pass  # {text}".split("\n")[0]], spool, cwd=tmp_path).checked()
    for argv in corpus.commands:
        armed([a_python, "-c", "pass", *argv], spool, cwd=tmp_path).checked()
    assert corpus.survivors(spool) == []


@pytest.mark.parametrize("how", ["spawn", "url", "browser", "http", "rename", "code"])
def test_no_secret_of_an_event_is_stored(
    how: str, a_python: str, spool: Path, tmp_path: Path, corpus: Filled
) -> None:
    kept = _hand(how, corpus.texts, a_python, spool, tmp_path)
    assert corpus.survivors(spool) == []
    assert len(list(kept.records())) > 50


def test_no_secret_of_a_file_name_is_stored(
    a_python: str, spool: Path, tmp_path: Path, corpus: Filled
) -> None:
    texts = [text for text in corpus.texts if "/" not in text]
    _hand("file", texts, a_python, spool, tmp_path)
    assert corpus.survivors(spool) == []


def test_no_secret_of_a_command_is_stored(a_python: str, spool: Path, tmp_path: Path, corpus: Filled) -> None:
    kept = _hand("run", corpus.commands, a_python, spool, tmp_path)
    assert corpus.survivors(spool) == []
    assert sum("***" in "".join(record.argv or []) for record in kept.records("spawn")) == len(
        corpus.commands
    )


def test_the_name_of_a_secret_stays(a_python: str, spool: Path, tmp_path: Path) -> None:
    argv = ["--password=hunter2", "https://ann:hunter2@host/?page=2&token=hunter2", "--token", "hunter2"]
    armed([a_python, "-c", "pass", *argv], spool, cwd=tmp_path).checked()
    (process,) = Kept(spool).processes()
    assert process.argv[3:] == ["--password=***", "https://ann:***@host/?page=2&token=***", "--token", "***"]


def test_what_is_no_secret_of_a_process_is_stored_as_it_is(
    a_python: str, spool: Path, tmp_path: Path, corpus: Filled
) -> None:
    damaged = []
    for start in range(0, len(corpus.harmless), 20):
        texts = corpus.harmless[start : start + 20]
        folder = spool / str(start)
        folder.mkdir(mode=0o700)
        code = "\n".join([*(f"x = {text!r}" for text in texts), "'''", *CORPUS["code"], "'''"])
        armed([a_python, "-c", code, *texts], folder, cwd=tmp_path).checked()
        (process,) = Kept(folder).processes()
        damaged += [stored for stored, text in zip(process.argv[3:], texts, strict=True) if stored != text]
        stored_code = (process.script or "").split("\n")
        damaged += [line for line, given in zip(stored_code, code.split("\n"), strict=True) if line != given]
    assert damaged == []


@pytest.mark.parametrize("how", ["spawn", "browser", "file"])
def test_what_is_no_secret_of_an_event_is_stored_as_it_is(
    how: str, a_python: str, spool: Path, tmp_path: Path, corpus: Filled
) -> None:
    texts = corpus.harmless
    if how == "file":
        texts = [os.path.normpath(text) for text in texts if not text.endswith(("/", "."))]
        texts = [text for text in texts if "/../" not in text]
    kept = _hand(how, texts, a_python, spool, tmp_path)
    if how == "spawn":
        stored = {record.argv[-1] for record in kept.records("spawn") if record.argv}
    else:
        stored = {str(record.target) for record in kept.records("request", "open")}
        stored |= {target.removeprefix("/nonexistent/") for target in stored}
    changed = (
        {"https://ann@host.example/a", "postgres://ann@db.example:5432/sales"} if how == "browser" else set()
    )
    assert set(texts) - stored - changed == set()


def test_a_secret_across_the_cut_leaves_no_half(a_python: str, spool: Path, tmp_path: Path) -> None:
    key = "ghp_" + "a1b2c3d4e5f6" * 3
    texts = ["x" * (4096 - length) + " " + key for length in range(0, 42, 3)]
    texts += ["x" * (8192 - length) + " " + key for length in range(0, 42, 3)]
    texts += ["password=" + "hunter2" * 2000]
    for how in ("spawn", "browser"):
        _hand(how, texts, a_python, spool, tmp_path)
    armed([a_python, "-c", "pass #" + "x" * 4070 + " " + key], spool, cwd=tmp_path).checked()
    stored = b"".join(path.read_bytes() for path in spool.iterdir())
    assert b"ghp_" not in stored
    assert b"hunter2" not in stored
    assert b"***" in stored


def test_privacy_stores_homes_under_a_pseudonym(a_python: str, spool: Path, tmp_path: Path) -> None:
    import pwd

    account = pwd.getpwuid(os.getuid())
    texts = ["/home/quentin/sales.csv", f"{account.pw_dir}/sales.csv", "--out=/home/quentin/x"]
    given = json.dumps(texts).encode()
    script = tmp_path / "home" / "quentin" / "report.py"
    script.parent.mkdir(parents=True)
    script.write_text(Path(program("holds_text.py")).read_text())
    for how in ("file", "spawn"):
        argv = [a_python, str(script), how, "/home/quentin"]
        armed(argv, spool, stdin=given, cwd=script.parent, GNOMON_PRIVACY="1").checked()
    stored = b"".join(path.read_bytes() for path in spool.iterdir())
    assert b"quentin" not in stored
    kept = Kept(spool)
    first, second = kept.processes()
    assert re.fullmatch("~[0-9a-f]{8}", first.user)
    assert first.user == second.user
    opened = {str(record.target) for record in kept.records("open")}
    (pseudonym,) = {target[:9] for target in opened if target.startswith("~") and "sales" in target} - {
        first.user
    }
    assert {f"{pseudonym}/sales.csv", f"{first.user}/sales.csv"} <= opened
    assert first.argv[-1] == pseudonym
    assert pseudonym in (first.script or "")
    spawned = [record.argv[-1] for record in kept.records("spawn") if record.argv]
    assert f"--out={pseudonym}/x" in spawned


def test_a_run_in_private_says_nothing_of_the_account(spool: Path, tmp_path: Path) -> None:
    script = tmp_path / "home" / "quentin" / "report.py"
    script.parent.mkdir(parents=True)
    script.write_text("open('/home/quentin/x', 'w') if False else None")
    run = ["-m", "gnomon", "run", "--quiet", "--privacy", "--spool", str(spool), str(script)]
    bare([sys.executable, *run], cwd=script.parent).checked()
    assert len(Kept(spool).processes()) == 2
    assert b"quentin" not in b"".join(path.read_bytes() for path in spool.iterdir())
