"""Programs made at random do the same armed, under an observed policy, and bare: output, warnings,
exceptions, exit code, files."""

from __future__ import annotations

import difflib
import random
import re
import shutil
import textwrap
from pathlib import Path

import pytest

import gnomon
from gnomon.policy import compiled, write
from interpreters import present
from watching import Kept, armed, bare

# What programs are made of; NAME is a file, N a small number. Each prints or raises something.
STATEMENTS = (
    "open('NAME', 'w').write('x' * N)",
    "print(open('NAME').read())",
    "print(len(open('NAME', 'rb').read()), os.path.getsize('NAME'))",
    "print(sorted(os.listdir('.')))",
    "os.rename('NAME', 'NAME-renamed')",
    "os.remove('NAME')",
    "os.mkdir('NAME-d'); shutil.rmtree('NAME-d')",
    "print(shutil.copy('NAME', 'NAME-copy'))",
    "print(subprocess.run([sys.executable, '-c', 'import sys; print(N); sys.exit(N)'], capture_output=True))",
    "print(os.system('exit N'))",
    "raise ValueError('NAME', N)",
    "1 / (N % 2)",
    "warnings.warn('NAME', DeprecationWarning, stacklevel=1)",
    "print(eval('N + 1'), compile('N', 'NAME', 'eval').co_filename)",
    "exec('def made(): return N'); print(locals().get('made', lambda: None)())",
    "print([frame.function for frame in inspect.stack(0)][:3])",
    "print(sys.getrefcount(open) > 1, sys.gettrace(), sys.getprofile(), sys.exc_info()[0])",
    "print(gc.collect() >= 0, weakref.ref(type('T', (), {})()))",
    "thread = threading.Thread(target=lambda: print(N)); thread.start(); thread.join()",
    "print(asyncio.run(asyncio.sleep(0, N)))",
    "print(socket.gethostbyname('localhost')); socket.create_connection(('127.0.0.1', 1), timeout=1)",
    "print(sqlite3.connect('NAME.db').execute('select N').fetchall())",
    "tempfile.TemporaryDirectory(dir='.').cleanup(); tempfile.TemporaryFile().close()",
    "print(pickle.loads(pickle.dumps({N: collections.OrderedDict(a=N)})))",
    "importlib.import_module('no_module_NAME')",
    "print(importlib.reload(json).__name__)",
    "print(zipfile.ZipFile('NAME.zip', 'w').namelist())",
    "sys.exit(N)",
    "sys.setrecursionlimit(80 + N); (lambda f: f(f))(lambda f: f(f))",
    "os.putenv('NAME', 'N'); os.environ['PATH'] += ':NAME'",
    "print(ctypes.CDLL(None).abs(-N))",
    "sys.settrace(lambda *a: None); sys.settrace(None)",
    "print(traceback.format_stack(limit=1)[-1])",
    "for _ in range(50): open('NAME', 'a').close()",
    "os.kill(os.getpid(), 0); print(signal.getsignal(signal.SIGINT))",
    "print(glob.glob('*'), sum(1 for _ in os.walk('.')))",
)
# Every kind of event, by every field that programs made of these have; and nothing of it may happen.
DENIES_ALL = """
name = "all"
mode = "observe"
[[rule]]
id = "paths"
path = ["**/a*", "**/*.db", "/**/[b]*"]
action = "deny"
message = "m"
[[rule]]
id = "modules"
module = ["json", "ctypes.*", "*sql*"]
action = "deny"
message = "m"
[[rule]]
id = "programs"
program = ["python*", "sh"]
argv = "*"
action = "justify"
message = "m"
[[rule]]
id = "hosts"
host = ["localhost", ".example.com"]
action = "warn"
[[rule]]
id = "addresses"
address = "loopback"
port = "1-1024"
action = "deny"
message = "m"
[[rule]]
id = "rest"
action = "deny"
message = "m"
"""
MODULES = (
    "os sys shutil subprocess warnings inspect gc weakref threading asyncio socket sqlite3 tempfile pickle "
    "collections importlib json zipfile ctypes traceback signal glob"
)
WRAPPINGS = (
    "{}",
    "try:\n{}\nexcept Exception as error:\n    print(type(error), error)",
    "try:\n{}\nfinally:\n    print('finally')",
    "def function():\n{}\nfunction()",
    "class Class:\n    def __del__(self):\n{__}\nClass()",
    "def generator():\n{}\n    yield 1\nprint(list(generator()))",
    "async def coroutine():\n{}\nasyncio.run(coroutine())",
    "for turn in range(2):\n{}",
    "with warnings.catch_warnings(record=True) as caught:\n{}\nprint(len(caught))",
    "threading.Thread(target=lambda: exec({quoted!r}, globals())).run()",
)


def _block(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.3:
        statement = chance.choice(STATEMENTS).replace("NAME", chance.choice("abc"))
        return statement.replace("N", str(chance.randrange(4)))
    body = "\n".join(_block(chance, depth - 1) for _ in range(chance.randint(1, 3)))
    wrapping = chance.choice(WRAPPINGS)
    if wrapping == "{}":
        return body
    if "quoted" in wrapping:
        return wrapping.format(quoted=body)
    return wrapping.format(textwrap.indent(body, "    "), __=textwrap.indent(body, "        "))


def _program(chance: random.Random) -> str:
    imports = "".join(f"import {name}\n" for name in MODULES.split())
    return imports + "\n".join(_block(chance, 3) for _ in range(chance.randint(1, 4))) + "\n"


def _files(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mode
        for path in folder.rglob("*")
        if path.suffix != ".pyc"
    }


def _fresh(folder: Path, source: str) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "program.py").write_text(source)
    return folder


def _settled(text: bytes) -> bytes:
    return re.sub(rb"\b0x[0-9a-f]+|pid=\d+", b"", text)


def _difference(seen: list[tuple[object, ...]], command: list[str], source: str) -> str:
    texts = [
        "\n".join(part.decode() if isinstance(part, bytes) else str(part) for part in result).splitlines()
        for result in seen
    ]
    return "\n".join([str(command), source, *difflib.unified_diff(*texts, "bare", "armed", lineterm="")])


@pytest.mark.parametrize("version", present())
def test_a_program_made_at_random_does_the_same(
    version: str, spool: Path, tmp_path: Path, chance: random.Random, is_long: bool
) -> None:
    from interpreters import needed

    (tmp_path / "p.toml").write_text(DENIES_ALL)
    policy = tmp_path / "p.gnomon-policy"
    write(compiled([tmp_path / "p.toml"]), policy)
    runs = (
        bare,
        lambda argv, **more: armed(argv, spool, **more),
        lambda argv, **more: armed(argv, spool, GNOMON_POLICY=str(policy), **more),
    )
    for _ in range(100 if is_long else 6):
        source = _program(chance)
        command = [needed(version), *chance.choice([[], ["-Werror"], ["-Xdev"], ["-O"]]), "program.py"]
        seen = []
        for run in runs:
            folder = _fresh(tmp_path / "there", source)
            ended = run(command, cwd=folder, PYTHONHASHSEED="0")
            seen.append((ended.status, _settled(ended.stdout), _settled(ended.stderr), _files(folder)))
        assert seen[0] == seen[1], _difference(seen[:2], command, source)
        assert seen[0] == seen[2], _difference([seen[0], seen[2]], command, source)
    assert Kept(spool).faults() == []
    verdicts = {record.shadow_verdict for record in gnomon.Spool(spool).records()}
    assert "deny" in verdicts, "the rules were asked"
