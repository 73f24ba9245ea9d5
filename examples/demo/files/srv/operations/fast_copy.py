"""Tries the kernel's io_uring, through which files are read without a call for each."""

import ctypes

SETUP = 425  # io_uring_setup, the same number on x86-64 and AArch64
parameters = ctypes.create_string_buffer(120)
descriptor = ctypes.CDLL(None).syscall(SETUP, 4, parameters)
print("a ring" if descriptor >= 0 else "no ring here")
