"""Does the one operation that its argument names, in the current directory: what is neither a plain file, nor the
network, nor a child."""

import ctypes
import gc
import glob
import marshal
import mmap
import os
import pickle
import resource
import shutil
import signal
import sqlite3
import sys
import tarfile
import tempfile
import threading
import types
import zipfile
from pathlib import Path

TEXT = "value = 6 * 7"


# code


def executes_text():
    exec(TEXT)


def evaluates_text():
    eval("6 * 7")


def evaluates_in_a_loop():
    for _ in range(100):
        eval("6 * 7")


def compiles_only():
    compile(TEXT, "<rule>", "exec")
    file("after")


def compiles_last():
    compile(TEXT, "<rule>", "exec")


def compiles_then_executes():
    exec(compile(TEXT, "<rule>", "exec"))


def compiles_and_executes_later():
    code = compile(TEXT, "<rule>", "exec")
    file("after")
    exec(code)


def executes_text_that_executes():
    exec("exec('value = 1')")


def executes_text_in_a_thread():
    thread = threading.Thread(target=exec, args=(TEXT, {}))
    thread.start()
    thread.join()


def executes_a_tree():
    import ast

    exec(compile(ast.parse(TEXT), "<tree>", "exec"))


def executes_a_cell():
    exec(compile(TEXT, f"/tmp/ipykernel_{os.getpid()}/3284789.py", "exec"))


def types_into_a_console():
    import code

    console = code.InteractiveConsole()
    for line in ("if True:", "    value = 1", ""):
        console.push(line)


def executes_text_named_as_a_file():
    exec(compile(TEXT, "/no/such/file.py", "exec"))


def executes_many_texts():
    for number in range(3000):
        exec(f"value = {number}")


def unmarshals():
    exec(marshal.loads(marshal.dumps(compile(TEXT, "<rule>", "exec"))))


def unmarshals_a_file():
    with open("made", "wb") as out:
        marshal.dump(compile(TEXT, "<rule>", "exec"), out)
    with open("made", "rb") as stored:
        marshal.load(stored)


def makes_a_function():
    types.FunctionType(compile(TEXT, "<rule>", "exec"), {})()


def replaces_code():
    code = compile(TEXT, "<rule>", "exec")
    code.replace(co_filename="<other>")


def swaps_code():
    def function():
        pass

    function.__code__ = (lambda: None).__code__


class Report:
    pass


def unpickles_a_class():
    pickle.loads(pickle.dumps(Report()))


def unpickles_a_call():
    pickle.loads(b"cbuiltins\nlen\n(Vx\ntR.")


def unpickles_data():
    import collections
    import datetime
    import decimal
    import uuid

    data = [
        {"a": 1, "b": {1.5, complex(1, 2)}},
        bytearray(b"x"),
        range(3),
        datetime.datetime.now(datetime.timezone.utc),
        decimal.Decimal("1.5"),
        collections.OrderedDict(a=1),
        collections.defaultdict(list),
        uuid.uuid4(),
        Path("x"),
        ValueError("x"),
    ]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        pickle.loads(pickle.dumps(data, protocol))


# native code


def loads_a_library():
    ctypes.CDLL("libc.so.6")


def looks_into_the_process():
    ctypes.CDLL(None).getpid


def calls_a_function():
    getpid = ctypes.CDLL("libc.so.6").getpid
    for _ in range(1000):
        getpid()


def looks_up_by_handle():
    import _ctypes

    _ctypes.dlsym(_ctypes.dlopen("libc.so.6", 0), "getpid")


def looks_up_in_a_class_of_its_own():
    class Library(ctypes.CDLL):
        def __getattribute__(self, name):
            print(f"asked for {name}")
            return super().__getattribute__(name)

    Library("libc.so.6")["getpid"]


# databases


def sqlite():
    sqlite3.connect("data.db").execute("create table t (x)")


def sqlite_path():
    sqlite3.connect(Path("data.db"))


def sqlite_memory():
    sqlite3.connect(":memory:")


def sqlite_uri():
    sqlite3.connect("file:data.db?mode=rwc", uri=True)


def sqlite_extension():
    connection = sqlite3.connect(":memory:")
    try:
        connection.enable_load_extension(True)
        connection.load_extension("./nothing")
    except (AttributeError, sqlite3.OperationalError):
        pass


# files by the standard library


def copies():
    shutil.copyfile("made", "copied")


def copies_with_state():
    shutil.copy2("made", "copied")


def copies_into_a_directory():
    shutil.copy(Path("made"), Path("empty"))


def copies_twice_and_opens():
    shutil.copy("made", "copied")
    shutil.copy("made", "copied")
    open("made").close()


def copies_what_is_missing():
    try:
        shutil.copyfile("missing", "copied")
    except FileNotFoundError:
        pass
    open("copied", "w").close()


def copies_a_tree():
    shutil.copytree("folder", "other")


def copies_state():
    shutil.copystat("made", "folder")


def moves():
    shutil.move("made", "moved")


def removes_a_tree():
    shutil.rmtree("folder")


def zips():
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.write("made")
    with zipfile.ZipFile("archive.zip") as archive:
        archive.extractall("out")


def tars():
    with tarfile.open("archive.tar", "w") as archive:
        archive.add("made")
    with tarfile.open("archive.tar") as archive:
        archive.extract("made", "empty")


def makes_an_archive():
    shutil.make_archive("archive", "zip", "folder")


def unpacks_an_archive():
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.writestr("inner", "x")
    shutil.unpack_archive("archive.zip", "empty")


def temporary_directory():
    with tempfile.TemporaryDirectory(dir=".", prefix="t-"):
        pass


# files by os


def chown():
    os.chown("made", os.getuid(), -1)


def chown_by_shutil():
    shutil.chown("made", os.getuid())


def utime():
    os.utime("made")


def utime_descriptor():
    with open("made", "r+") as stream:
        os.utime(stream.fileno(), (1, 1))


def touch():
    Path("made").touch()


def setxattr():
    try:
        os.setxattr("made", "user.gnomon", b"x")
        os.removexattr("made", "user.gnomon")
    except OSError:  # the file system has none
        pass


def listdir():
    os.listdir("folder")


def listdir_here():
    os.listdir()


def scandir():
    os.scandir("folder").close()


def iterdir():
    list(Path("folder").iterdir())


def walk():
    list(os.walk("folder"))


def glob_glob():
    glob.glob("folder/*")


def glob_path():
    list(Path("folder").glob("*"))


def lists_machinery():
    os.listdir(os.path.dirname(os.__file__))
    os.listdir("/proc/self/fd")


def maps():
    with open("filled", "r+b") as stream:
        mmap.mmap(stream.fileno(), 0).close()


def maps_for_reading():
    with open("filled", "rb") as stream:
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ).close()
        mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ).close()


def maps_memory():
    mmap.mmap(-1, 4096).close()


# processes and settings


def kills():
    os.kill(os.getpid(), 0)


def kills_a_group():
    os.killpg(os.getpgrp(), 0)


def kills_a_thread():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)


def limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    resource.prlimit(0, resource.RLIMIT_CORE)


def sets_variables():
    os.environ["HTTPS_PROXY"] = "http://proxy:8080"
    os.environ["PATH"] = "/bin"
    os.environ["MY_SECRET"] = "hidden"
    del os.environ["HTTPS_PROXY"]


# tampering


def adds_a_hook():
    sys.addaudithook(lambda *_: None)


def traces():
    sys.settrace(None)
    sys.setprofile(None)


def monitors():
    monitoring = getattr(sys, "monitoring", None)
    if monitoring:
        monitoring.use_tool_id(3, "gnomon's test")
        monitoring.register_callback(3, monitoring.events.LINE, None)


def looks_at_objects():
    gc.get_objects()
    gc.get_referrers(TEXT)
    gc.get_referents(TEXT)
    sys._current_frames()


def opens_its_memory():
    os.close(os.open("/proc/self/mem", os.O_RDWR))
    open("/proc/self/mem", "rb").close()


def opens_its_memory_by_the_way():
    folder = os.open("/proc/self", os.O_RDONLY)
    os.close(os.open("mem", os.O_RDWR, dir_fd=folder))


def changes_the_spool():
    spool = os.environ["GNOMON_SPOOL"]
    open(os.path.join(spool, "x"), "w").close()
    os.rename(os.path.join(spool, "x"), os.path.join(spool, "y"))
    os.remove(os.path.join(spool, "y"))


def hides_its_children():
    del os.environ["GNOMON_SPOOL"]


def replaces_audit():
    sys.audit = lambda *_: None
    sys.audit = None


def deletes_audit():
    del sys.audit


def runs_in_another():
    if hasattr(sys, "remote_exec"):
        Path("script.py").write_text("")
        sys.remote_exec(os.getpid(), os.path.abspath("script.py"))
        for _ in range(1000):
            pass


def starts_directly():
    from multiprocessing.util import spawnv_passfds

    os.waitpid(spawnv_passfds(b"/bin/true", [b"true"], []), 0)


# Windows: what these look like, raised by hand


def windows():
    local_machine = -2147483646
    audit = sys.audit
    audit("winreg.OpenKey", local_machine, "Software\\Python", 131097)
    audit("winreg.OpenKey/result", 500)
    audit("winreg.SetValue", 500, "Run", 1, "secret")
    audit("winreg.DeleteValue", 500, "Run")
    audit("winreg.QueryValue", 500, None, "Run")
    audit("winreg.EnumKey", 500, 0)
    audit("winreg.SaveKey", 500, "C:\\hive")
    audit("winreg.ConnectRegistry", "\\\\server", local_machine)
    audit("_winapi.CreateProcess", "C:\\x.exe", "x.exe /a", None)
    audit("_winapi.CreateFile", "C:\\data.csv", 0x80000000, 0, 3, 0)
    audit("_winapi.CreateFile", "C:\\new.csv", 0x40000000, 0, 2, 0)
    audit("_winapi.CreateJunction", "C:\\a", "C:\\b")
    audit("_winapi.CopyFile2", "C:\\a", "C:\\b", 0)
    audit("_winapi.TerminateProcess", 88, 1)
    audit("os.startfile", "C:\\sheet.xlsx", None)


def windows_popen():
    sys.audit("subprocess.Popen", None, "x.exe /a", None, None)
    sys.audit("_winapi.CreateProcess", None, "x.exe /a", None)


def file(name, text=""):
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, text.encode())
    os.close(descriptor)


for folder in ("folder", "empty"):
    os.mkdir(folder)
for name in ("made", "folder/inside"):
    file(name)
file("filled", "x")
file("started")
globals()[sys.argv[1]]()
