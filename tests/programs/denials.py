"""Does what a policy denies, and handles it as programs do; the argument says how."""

import copy
import errno
import os
import pickle
import socket
import sys

FILE = b"/protected/pay-\xff.csv"
MODULE = "protected.pay"


def read():
    open(FILE)


def start():
    socket.gethostbyname("protected.example")


def load():
    import protected.pay  # noqa: F401


FILE_OF_MODULE = os.environ["FILE_OF_MODULE"]
TOLD = {
    read: ("reading /protected/pay-\\xff.csv", "finance/no-hr"),
    start: ("looking up protected.example", "finance/no-host"),
    load: ("importing protected.pay", "finance/no-module"),
}


def message(denied):
    doing, rule = TOLD[denied]
    line = denied.__code__.co_firstlineno + 1
    return (
        f"{doing} was stopped at denials.py:{line} by the policy rule {rule}\n  Why: Salaries stay with HR.\n"
        f"  Ask: it@example.org\n  To ask for an exception: gnomon policy request {rule}"
    )


def error_of(denied):
    try:
        denied()
    except Exception as error:
        return error
    raise AssertionError("nothing was denied")


def file():
    error = error_of(read)
    assert isinstance(error, PermissionError) and not isinstance(error, ImportError)
    told = message(read)
    assert (str(error), error.strerror, error.errno) == (told, told, errno.EACCES), str(error)
    assert error.filename == os.fsdecode(FILE) and error.filename2 is None
    assert error.args == (errno.EACCES, told)
    assert (error.rule, error.owner, error.link) == ("finance/no-hr", "it@example.org", None)
    assert (error.policy, error.message) == ("finance", "Salaries stay with HR.")
    error = error_of(start)
    assert (str(error), error.filename, error.errno) == (message(start), None, errno.EACCES)


def handlers():
    for denied, expected in ((read, PermissionError), (read, OSError), (load, ImportError)):
        try:
            denied()
        except expected as error:
            assert str(error) == message(denied)
    try:
        import nothing.that_exists  # noqa
    except ImportError:
        error = error_of(read)
        assert isinstance(error.__context__, ImportError)


def module():
    error = error_of(load)
    assert isinstance(error, ImportError) and not isinstance(error, (OSError, ModuleNotFoundError))
    told = message(load)
    assert (str(error), error.msg, error.name) == (told, told, MODULE)
    assert error.path == FILE_OF_MODULE and error.args == (told,)
    assert (error.rule, error.owner, error.link) == ("finance/no-module", "it@example.org", None)


def classes():
    file, module = type(error_of(read)), type(error_of(load))
    assert "gnomon" not in sys.modules
    from gnomon import PolicyDenied, _native

    assert PolicyDenied is _native.PolicyDenied and PolicyDenied.__mro__[1] is Exception
    for kind, natural in ((file, PermissionError), (module, ImportError)):
        assert kind.__bases__ == (PolicyDenied, natural)
        assert issubclass(kind, PolicyDenied) and issubclass(kind, natural)
        assert (kind.__module__, kind.__name__, kind.__qualname__) == (
            "gnomon",
            "PolicyDenied",
            "PolicyDenied",
        )
    assert type(error_of(start)) is file
    assert PolicyDenied("a").rule is None and str(PolicyDenied("a")) == "a"
    assert (str(file(1, "b", "c")), str(module("d"))) == ("b", "d")

    class Own(PolicyDenied):
        pass

    assert isinstance(Own(), PolicyDenied)
    try:
        read()
    except PolicyDenied as error:
        assert error.errno == errno.EACCES


def representation():
    assert repr(error_of(read)) == f"PolicyDenied({errno.EACCES}, {message(read)!r})"
    assert repr(error_of(load)) in (
        f"PolicyDenied({message(load)!r})",
        f"PolicyDenied({message(load)!r}, name={MODULE!r}, path={FILE_OF_MODULE!r})",
    )


def copies():
    for denied, plain in ((read, PermissionError), (start, PermissionError), (load, ImportError)):
        error = error_of(denied)
        error.noted = ["by the program"]
        for again in (copy.copy, copy.deepcopy, *pickled()):
            check_plain(again(error), plain, denied)
            assert again(error).noted == error.noted


def pickled():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))


def check_plain(error, plain, denied):
    assert type(error) is plain, type(error)
    assert (error.rule, error.owner) == (TOLD[denied][1], "it@example.org")
    told = message(denied)
    if plain is PermissionError:
        assert (error.errno, error.strerror) == (errno.EACCES, told)
        assert error.filename in (os.fsdecode(FILE), None)
    else:
        assert (str(error), error.name, error.path) == (told, MODULE, FILE_OF_MODULE)


def to_stdout():
    sys.stdout.buffer.write(pickle.dumps([error_of(read), error_of(load)]))


def pools():
    import concurrent.futures
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        for denied, plain in ((read, PermissionError), (load, ImportError)):
            check_plain(error_of(lambda denied=denied: pool.apply(denied)), plain, denied)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        for denied, plain in ((read, PermissionError), (load, ImportError)):
            check_plain(error_of(pool.submit(denied).result), plain, denied)
    assert "gnomon" not in sys.modules


def quiet():
    # The package that holds the module, and the codec for names of hosts, are loaded from now on.
    error_of(load), error_of(start)
    modules, events = set(sys.modules), []
    sys.addaudithook(lambda event, args: events.append(event))
    for denied in (read, start, read):
        error = error_of(denied)
        str(error), repr(error), error.__reduce__()
    error = error_of(load)
    of_the_import = ["import", "open", "os.listdir", "os.scandir", "marshal.loads", "compile"]
    assert [event for event in events if event not in of_the_import] == [], events
    assert set(sys.modules) == modules, set(sys.modules) - modules


def subinterpreters():
    try:
        import _interpreters as interpreters

        create = lambda: interpreters.create("legacy")
    except ImportError:
        import _xxsubinterpreters as interpreters

        create = (
            (lambda: interpreters.create(isolated=False))
            if sys.version_info >= (3, 10)
            else interpreters.create
        )
    code = f"""
import sys; sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
import denials
denials.file(); denials.module(); denials.copies(); denials.handlers()
kind = type(denials.error_of(denials.read))
assert kind is type(denials.error_of(denials.read)) and kind.__name__ == "PolicyDenied"
assert id(kind) != {id(type(error_of(read)))}
"""
    for _ in range(3):
        interpreter = create()
        failure = interpreters.run_string(interpreter, code)
        assert failure is None, failure
        interpreters.destroy(interpreter)
        file()
        module()


def memory():
    import _testcapi

    kinds = set()
    # In the first rounds the classes are not there yet, nor is memory for one of their parts.
    for missing in range(200):
        for denied in (open, os.listdir):
            kind = None
            _testcapi.set_nomemory(missing, missing + 1)
            try:
                denied("/protected/pay.csv")
            except Exception as error:
                kind = type(error)
            _testcapi.remove_mem_hooks()
            assert kind is not None and issubclass(kind, (PermissionError, MemoryError)), (missing, kind)
            kinds.add(kind.__name__)
    assert kinds >= {"PolicyDenied", "PermissionError"}, kinds
    file()
    module()


def uncaught_file():
    read()


def uncaught_module():
    load()


def many():
    """Neither errors nor classes are lost or freed too early."""
    import gc

    for denied in (read, load):
        kind = type(error_of(denied))
        before = sys.getrefcount(kind)
        for _ in range(1000):
            error = error_of(denied)
            error.itself = error
        del error
        gc.collect()
        assert abs(sys.getrefcount(kind) - before) < 10
        assert not [found for found in gc.get_objects() if type(found) is kind]


if __name__ == "__main__":
    globals()[sys.argv[1]]()
