"""Records under a Python of another architecture, and reads it back: for tests/chroots.

The arguments are the folder with the package, and the emulator, if any.
"""

import os
import platform
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

site, emulator = sys.argv[1], sys.argv[2:]
python = [*emulator, sys.executable]
spool = tempfile.mkdtemp()
work = tempfile.mkdtemp()
code = (
    "import os, socket\n"
    "from gnomon._native import process_id, reads_frames\n"
    "open('written', 'w').close()\n"
    "os.mkdir('made')\n"
    "def connect():\n"
    "    try: socket.create_connection(('127.0.0.1', 1))\n"
    "    except OSError: pass\n"
    "connect()\n"
    "child = os.fork()\n"
    "if child == 0:\n"
    "    open('of-the-child', 'w').close()\n"
    "    os._exit(0)\n"
    "os.waitpid(child, 0)\n"
    "assert process_id()\n"
    "print(reads_frames())\n"
)
Path(work, "program.py").write_text(code)
environment = {
    "PATH": os.defpath,
    "PYTHONPATH": os.pathsep.join([os.path.join(site, "gnomon", "bootstrap"), site]),
    "GNOMON_SPOOL": spool,
    "GNOMON_DEBUG": "1",
}
done = subprocess.run(
    [*python, "program.py"], cwd=work, env=environment, capture_output=True, text=True, check=False
)
print(done.stdout, done.stderr, end="")
assert done.returncode == 0
# No layout of frames is known where addresses have 32 bits: they are asked for.
assert done.stdout == f"{struct.calcsize('P') == 8}\n"

sys.path.insert(0, site)
from gnomon._native import Spool  # noqa: E402

recorded = Spool(spool)
processes, faults = recorded.processes()
records = recorded.records()
found = {(r.kind, os.path.basename(str(r.target))): r for r in records}
print(*sorted(found), sep="\n")
assert not faults and not records.faults
assert sorted(process.forked for process in processes) == [False, True]
assert all(not process.lost for process in processes)
for kind, target in (("open", "written"), ("mkdir", "made"), ("open", "of-the-child")):
    assert (kind, target) in found, (kind, target)
(connected,) = [record for (kind, _), record in found.items() if kind == "connect"]
assert (os.path.basename(str(connected.file)), connected.line, connected.function) == (
    "program.py",
    6,
    "connect",
)
bits = 8 * struct.calcsize("P")
print(f"{bits} bit, {platform.machine()}, {platform.python_version()}: recorded and read back")
