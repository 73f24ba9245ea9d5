"""Gets rid of the recorder, or tries to, in the way that its argument names. What it does besides is in `act`."""

import os
import struct
import subprocess
import sys

PYTHON = sys.executable


def act():
    """What is to stay unseen."""
    with open("seen-or-not", "w"):
        pass


# Where things are in memory, without asking anybody but files.


def mapped(part):
    """The lines of the maps whose file has `part` in it: (start, end, path)."""
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split()
            if len(fields) > 5 and part in fields[5]:
                low, high = (int(text, 16) for text in fields[0].split("-"))
                found.append((low, high, fields[5]))
    return found


def interpreter():
    """The address and the file of what holds the interpreter."""
    lines = mapped("/libpython3") or mapped(os.path.realpath("/proc/self/exe"))
    return lines[0][0], lines[0][2]


class Elf:
    """The dynamic symbols of a file, and the slots for those of others."""

    def __init__(self, base, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.base = base if struct.unpack_from("<H", self.data, 16)[0] == 3 else 0
        table = struct.unpack_from("<Q", self.data, 40)[0]
        size, count = struct.unpack_from("<HH", self.data, 58)
        self.sections = [
            struct.unpack_from("<IIQQQQIIQQ", self.data, table + size * index) for index in range(count)
        ]
        self.dynamic = next(section for section in self.sections if section[1] == 11)
        self.names = self.sections[self.dynamic[6]]

    def symbol(self, at):
        name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", self.data, self.dynamic[4] + 24 * at)
        start = self.names[4] + name
        return self.data[start : self.data.index(b"\0", start)].decode(), value

    def address_of(self, name):
        every = (self.symbol(at) for at in range(self.dynamic[5] // 24))
        return next(value for found, value in every if found == name and value) + self.base

    def slots(self, *names):
        """(address, name) of the slots through which functions are called."""
        for section in self.sections:
            if section[1] == 4:
                for at in range(section[4], section[4] + section[5], 24):
                    offset, info, _ = struct.unpack_from("<QQq", self.data, at)
                    name = self.symbol(info >> 32)[0]
                    if info & 0xFFFFFFFF in (6, 7) and name in names:
                        yield offset + self.base, name


def c_library():
    base, _, path = mapped("/libc.so.6")[0]
    return Elf(base, path)


def entry_of_hooks(read):
    """Where the list of audit hooks begins, and gnomon's function in it."""
    lines = mapped("/_native.")
    start, end = min(line[0] for line in lines), max(line[1] for line in lines)
    runtime = Elf(*interpreter()).address_of("_PyRuntime")
    memory = read(runtime, 12288) or read(runtime, 660)
    for index, (word,) in enumerate(struct.iter_unpack("<Q", memory[: len(memory) // 8 * 8])):
        entry = read(word, 24) if word > 4096 and word % 8 == 0 else None
        if entry and start <= struct.unpack("<3Q", entry)[1] < end:
            return runtime + 8 * index, struct.unpack("<3Q", entry)[1]
    raise LookupError("no list of hooks")


def by_file(address, count):
    try:
        with open("/proc/self/mem", "rb", 0) as memory:
            memory.seek(address)
            return memory.read(count)
    except (OSError, OverflowError):
        return None


def by_call(address, count):
    """What is at an address, by a call that reads it and that nobody takes for tampering."""
    import ctypes

    class Part(ctypes.Structure):
        _fields_ = [("start", ctypes.c_void_p), ("size", ctypes.c_size_t)]

    buffer = ctypes.create_string_buffer(count)
    here, there = Part(ctypes.addressof(buffer), count), Part(address, count)
    read = ctypes.CDLL(None).process_vm_readv
    read.restype = ctypes.c_ssize_t
    done = read(os.getpid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return buffer.raw if done == count else None


def function_at(address, *types):
    import ctypes

    return ctypes.CFUNCTYPE(*types)(address)


# The hook.


def hook_by_memory_file():
    place, _ = entry_of_hooks(by_file)
    with open("/proc/self/mem", "r+b", 0) as memory:
        memory.seek(place)
        memory.write(bytes(8))
    act()


def hook_by_address():
    import ctypes

    place, _ = entry_of_hooks(by_call)
    ctypes.c_uint64.from_address(place).value = 0
    act()


def hook_by_memmove():
    import ctypes

    place, _ = entry_of_hooks(by_call)
    ctypes.memmove(place, bytes(8), 8)
    act()


def hook_by_memmove_then_exit():
    import ctypes

    place, _ = entry_of_hooks(by_call)
    ctypes.memmove(place, bytes(8), 8)


def hook_by_memmove_then_leave():
    import ctypes

    place, _ = entry_of_hooks(by_call)
    ctypes.memmove(place, bytes(8), 8)
    os._exit(0)


def hook_by_another_program():
    place, _ = entry_of_hooks(by_call)
    subprocess.run(
        ["dd", "if=/dev/zero", f"of=/proc/{os.getpid()}/mem", "bs=8", "count=1", "conv=notrunc",
         f"seek={place}", "oflag=seek_bytes"],
        check=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    act()


def hook_code_overwritten():
    import ctypes

    _, function = entry_of_hooks(by_call)
    address = c_library().address_of("mprotect")
    protect = function_at(address, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    assert protect(function & ~4095, 8192, 7) == 0
    ctypes.memmove(function, b"\x31\xc0\xc3", 3)  # return 0
    act()


def finalised():
    import ctypes

    ctypes.pythonapi.Py_FinalizeEx  # noqa: B018
    act()


def events_silenced():
    sys.audit = lambda *_: None
    subprocess.run(["true"], check=True)


def hook_added():
    def refuse(event, _):
        if event == "open":
            raise RuntimeError

    sys.addaudithook(refuse)
    try:
        act()
    except RuntimeError:
        pass


def library_loaded_again():
    import ctypes

    ctypes.CDLL(mapped("/_native.")[0][2])
    act()


def stopped_by_its_own_function():
    import _imp
    from importlib.machinery import ModuleSpec

    spec = ModuleSpec("gnomon._native", None, origin=mapped("/_native.")[0][2])
    native = _imp.create_dynamic(spec)
    _imp.exec_dynamic(native)
    native.stop()
    act()


# Native calls.


def slots_by_memory_file():
    elf, c = Elf(*interpreter()), c_library()
    for place, name in elf.slots("open", "open64"):
        with open("/proc/self/mem", "r+b", 0) as memory:
            memory.seek(place)
            memory.write(struct.pack("<Q", c.address_of(name)))
    act()


def slots_by_memmove():
    import ctypes

    elf, c = Elf(*interpreter()), c_library()
    places = list(elf.slots("open", "open64"))
    protect = function_at(
        c.address_of("mprotect"), ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    )
    for place, name in places:
        protect(place & ~4095, 4096, 3)
        ctypes.memmove(place, struct.pack("<Q", c.address_of(name)), 8)
    act()


def called_by_ctypes():
    import ctypes

    ctypes.CDLL(None).creat(b"seen-or-not", 0o600)


def called_by_address():
    import ctypes

    create = function_at(c_library().address_of("creat"), ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    assert create(b"seen-or-not", 0o600) >= 0


def machine_code():
    import ctypes
    import mmap

    code = mmap.mmap(-1, 4096, prot=7)
    code.write(b"\xb8\x55\x00\x00\x00\x0f\x05\xc3")  # creat(2)
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    create = function_at(address, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    assert create(b"seen-or-not", 0o600) >= 0


def started_by_the_inner_function():
    from multiprocessing import util

    os.waitpid(util.spawnv_passfds(b"/bin/touch", ["touch", "seen-or-not"], ()), 0)


# The memory of the process, by other names.


def memory_by_thread():
    open("/proc/thread-self/mem", "r+b", 0).close()
    act()


def memory_by_pid():
    open(f"/proc/{os.getpid()}/mem", "r+b", 0).close()
    act()


def memory_by_descriptor():
    folder = os.open("/proc/self", os.O_RDONLY)
    os.close(os.open("mem", os.O_RDWR, dir_fd=folder))
    act()


def memory_by_directory():
    before = os.getcwd()
    os.chdir("/proc/self")
    try:
        open("mem", "r+b", 0).close()
    finally:
        os.chdir(before)
    act()


def memory_by_own_link():
    os.symlink("/proc/self/mem", "link")
    act()


def memory_by_link_of_another():
    subprocess.run(["ln", "-s", "/proc/self/mem", "link"], check=True)
    open("link", "r+b", 0).close()
    act()


def memory_by_ctypes():
    import ctypes

    if ctypes.CDLL(None).open(b"/proc/self/mem", os.O_RDWR) < 0:
        raise PermissionError
    act()


def memory_by_number():
    import ctypes

    if ctypes.CDLL(None).syscall(257, -100, b"/proc/self/mem", os.O_RDWR, 0) < 0:
        raise PermissionError
    act()


def memory_by_vm_write():
    import ctypes

    ctypes.CDLL(None).process_vm_writev  # noqa: B018
    act()


# Its files, and its environment.


def own_segments():
    spool = os.environ["GNOMON_SPOOL"]
    return [entry.path for entry in os.scandir(spool) if entry.name.endswith(".gnomon")]


def segments_deleted():
    for path in own_segments():
        os.remove(path)
    act()


def segments_deleted_by_another_program():
    subprocess.run(["rm", "-f", *own_segments()], check=True)
    act()


def spool_renamed():
    spool = os.environ["GNOMON_SPOOL"]
    os.rename(spool, spool + "-aside")
    act()


def library_overwritten():
    open(mapped("/_native.")[0][2], "r+b").close()
    act()


def variable_removed():
    del os.environ["GNOMON_SPOOL"]
    subprocess.run([PYTHON, "-c", "open('seen-or-not', 'w')"], check=True)


def variable_removed_by_ctypes():
    import ctypes

    ctypes.CDLL(None).unsetenv(b"GNOMON_SPOOL")
    subprocess.run([PYTHON, "-c", "open('seen-or-not', 'w')"], check=True)


# Children.

CHILD = ["-c", "open('seen-or-not', 'w')"]


def child(*options, program=PYTHON, **environment):
    return lambda: subprocess.run([program, *options, *CHILD], check=True, env={**os.environ, **environment})


def shadowing():
    os.mkdir("shadow")
    with open("shadow/sitecustomize.py", "w"):
        pass
    return os.path.abspath("shadow") + os.pathsep + os.environ["PYTHONPATH"]


def child_shadowed():
    child(PYTHONPATH=shadowing())()


def child_shadowed_by_exec():
    os.execve(PYTHON, [PYTHON, *CHILD], {**os.environ, "PYTHONPATH": shadowing()})


def child_without_environment():
    subprocess.run([PYTHON, *CHILD], check=True, env={})


def child_with_path_file():
    os.mkdir("bin")
    # Beside a link, for this is not where the interpreter is.
    os.symlink(PYTHON, "bin/python")
    with open("bin/python._pth", "w") as file:
        file.write(os.path.dirname(os.__file__) + "\n")
    subprocess.run([os.path.abspath("bin/python"), *CHILD], check=True)


def child_under_another_name():
    os.symlink(PYTHON, "excel")
    subprocess.run([os.path.abspath("excel"), "-S", *CHILD], check=True)


def child_of_a_copy():
    # Its library is found beside it, where it is not in the file itself.
    import shutil

    shutil.copy(os.path.realpath(PYTHON), "excel")
    home = {**os.environ, "PYTHONHOME": f"{sys.base_prefix}:{sys.base_exec_prefix}"}
    libraries = os.path.join(sys.base_prefix, "lib")
    subprocess.run(
        [os.path.abspath("excel"), "-S", *CHILD], check=True, env={**home, "LD_LIBRARY_PATH": libraries}
    )


def child_by_a_shells_condition():
    subprocess.run(["sh", "-c", f'if true; then {PYTHON} -S -c \'open("seen-or-not", "w")\'; fi'], check=True)


def child_elsewhere():
    os.mkdir("other", 0o700)
    child(GNOMON_SPOOL=os.path.abspath("other"))()


def left_to_another():
    """To a Python that runs already and is not recorded, as cron, at or a service would do it."""
    with open(os.environ["ORDERS"], "w") as orders:
        orders.write("seen-or-not")


def descriptors_closed():
    os.closerange(3, 1024)
    act()


def descriptor_inherited():
    os.write(int(os.environ["INHERITED"]), b"written")


child_without_site = child("-S")
child_isolated = child("-I")
child_without_variables = child("-E")
child_without_native = child(GNOMON_NATIVE="off")

WAYS = {name: function for name, function in globals().items() if callable(function)}

if __name__ == "__main__":
    try:
        WAYS[sys.argv[1]]()
    except PermissionError as error:
        print("stopped:", type(error).__name__)
