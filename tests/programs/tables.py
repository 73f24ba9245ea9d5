"""Compares the lines of all instructions of some modules with what CPython says. Prints how many there were."""

import ctypes
import os
import sys
import types

line = ctypes.PyDLL(os.environ["LIBRARY"]).gnomon_line_probe
line.argtypes = [ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int]
right = ctypes.pythonapi.PyCode_Addr2Line
right.argtypes = [ctypes.py_object, ctypes.c_int]


def compared(code):
    minor = sys.version_info[1]
    table = code.co_lnotab if minor < 10 else code.co_linetable
    size = len(code.co_code)
    for position in range(-2, size, 2):
        found = line(minor, table, len(table), code.co_firstlineno, position)
        assert found == right(code, position), (code, position, found)
    return size // 2 + sum(compared(part) for part in code.co_consts if isinstance(part, types.CodeType))


total = 0
folder = os.path.dirname(os.__file__)
for module in ("argparse", "ast", "datetime", "decimal", "inspect", "os", "tarfile", "typing"):
    with open(os.path.join(folder, module + ".py"), encoding="utf-8") as file:
        total += compared(compile(file.read(), module, "exec"))
# Long jumps, back and forth; code without lines; lines that go on and on.
blocks = [
    "if x:\n" + " (\n" * 3 + "\n" * 300 + "a,\n" + "\n" * 5000 + "b)))\n" + " c\nelse: d\n" for _ in range(3)
]
total += compared(
    compile("def f():\n try:\n  pass\n finally:\n  return [i for i in x if i]\n" + "x=1;" * 999, "y", "exec")
)
total += compared(compile("".join(blocks), "z", "exec"))
print(total)
