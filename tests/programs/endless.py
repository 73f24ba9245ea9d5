"""Leaves threads that call a native function again and again while the interpreter ends."""

import ctypes
import os
import sys
import threading

SIZE = 1 << 16
library = ctypes.CDLL(os.environ["LIBRARY"])
ctypes.PyDLL(os.environ["LIBRARY"]).gnomon_end_probe()
started = threading.Barrier(4)

# Frames of generated code are looked through, so that each call reads all of them.
SOURCE = """
def work(depth):
    if depth:
        return work(depth - 1)
    buffer = ctypes.create_string_buffer(SIZE)
    asked, size = library.gnomon_origin_probe, ctypes.c_size_t(SIZE)
    started.wait()
    while True:
        asked(buffer, size)
"""
exec(SOURCE)

for _ in range(3):
    threading.Thread(target=work, args=(int(sys.argv[1]),), daemon=True).start()  # noqa: F821
started.wait()
