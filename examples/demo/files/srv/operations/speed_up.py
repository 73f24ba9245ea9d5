"""A trick from the web: reaches into the interpreter, and listens to its events."""

import ctypes
import sys

sys.addaudithook(lambda event, arguments: None)
runtime = ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime")
print(ctypes.sizeof(runtime))
