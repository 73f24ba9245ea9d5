"""Says, of two threads, how far from its own words the C library keeps those of gnomon's library: "7712 9003"."""

import ctypes
import threading


class Module(ctypes.Structure):
    """What dl_iterate_phdr(3) tells of a loaded library."""

    _fields_ = [
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.c_void_p),
        ("header_count", ctypes.c_uint16),
        ("added", ctypes.c_ulonglong),
        ("removed", ctypes.c_ulonglong),
        ("tls_number", ctypes.c_size_t),
        ("tls_place", ctypes.c_void_p),
    ]


libc = ctypes.CDLL(None)
libc.pthread_self.restype = ctypes.c_size_t
found = []


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Module), ctypes.c_size_t, ctypes.c_void_p)
def look(module, size, data):
    if b"_native" in module.contents.name:
        found.append(abs((module.contents.tls_place or 0) - libc.pthread_self()))
    return 0


def ask():
    try:
        open("/no such file")  # recorded, so the thread's words have a place now
    except OSError:
        libc.dl_iterate_phdr(look, None)


ask()
thread = threading.Thread(target=ask)
thread.start()
thread.join()
print(*found)
