"""Does what a policy denies, and handles it as programs do; the argument says how."""

import copy
import ctypes
import errno
import os
import pickle
import sys

MESSAGE = (
    "line 3 of report.py may not read `/protected/pay.csv`: salaries stay with HR\nhint: ask it@example.org"
)
FILE = b"/protected/pay-\xff.csv"
MODULE = "protected.pay"

# Until there is a policy, the library is asked directly.
rehearse = ctypes.PyDLL(os.environ["NATIVE"]).gnomon_rehearse_denial
rehearse.argtypes = [ctypes.c_char_p] * 3


def read():
    rehearse(MESSAGE.encode(), None, FILE)


def start():
    rehearse(MESSAGE.encode(), None, None)


def load():
    rehearse(MESSAGE.encode(), MODULE.encode(), FILE)


def error_of(denied):
    try:
        denied()
    except Exception as error:
        return error
    raise AssertionError("nothing was denied")


def file():
    error = error_of(read)
    assert isinstance(error, PermissionError) and not isinstance(error, ImportError)
    assert (str(error), error.strerror, error.errno) == (MESSAGE, MESSAGE, errno.EACCES)
    assert error.filename == os.fsdecode(FILE) and error.filename2 is None
    assert error.args == (errno.EACCES, MESSAGE)
    assert (error.rule, error.owner, error.link) == ("finance/no-hr", "it@example.org", None)
    error = error_of(start)
    assert (str(error), error.filename, error.errno) == (MESSAGE, None, errno.EACCES)


def handlers():
    for denied, expected in ((read, PermissionError), (read, OSError), (load, ImportError)):
        try:
            denied()
        except expected as error:
            assert str(error) == MESSAGE
    try:
        import nothing.that_exists  # noqa
    except ImportError:
        error = error_of(read)
        assert isinstance(error.__context__, ImportError)


def module():
    error = error_of(load)
    assert isinstance(error, ImportError) and not isinstance(error, (OSError, ModuleNotFoundError))
    assert (str(error), error.msg, error.name) == (MESSAGE, MESSAGE, MODULE)
    assert error.path == os.fsdecode(FILE) and error.args == (MESSAGE,)
    assert (error.rule, error.owner, error.link) == ("finance/no-hr", "it@example.org", None)


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
    assert repr(error_of(read)) == f"PolicyDenied({errno.EACCES}, {MESSAGE!r})"
    assert repr(error_of(load)) in (
        f"PolicyDenied({MESSAGE!r})",
        f"PolicyDenied({MESSAGE!r}, name={MODULE!r}, path={os.fsdecode(FILE)!r})",
    )


def copies():
    for denied, plain in ((read, PermissionError), (start, PermissionError), (load, ImportError)):
        error = error_of(denied)
        error.noted = ["by the program"]
        for again in (copy.copy, copy.deepcopy, *pickled()):
            check_plain(again(error), plain)
            assert again(error).noted == error.noted


def pickled():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))


def check_plain(error, plain):
    assert type(error) is plain, type(error)
    assert (error.rule, error.owner) == ("finance/no-hr", "it@example.org")
    if plain is PermissionError:
        assert (error.errno, error.strerror) == (errno.EACCES, MESSAGE)
        assert error.filename in (os.fsdecode(FILE), None)
    else:
        assert (str(error), error.name, error.path) == (MESSAGE, MODULE, os.fsdecode(FILE))


def to_stdout():
    sys.stdout.buffer.write(pickle.dumps([error_of(read), error_of(load)]))


def pools():
    import concurrent.futures
    import multiprocessing

    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1) as pool:
        for denied, plain in ((read, PermissionError), (load, ImportError)):
            check_plain(error_of(lambda denied=denied: pool.apply(denied)), plain)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        for denied, plain in ((read, PermissionError), (load, ImportError)):
            check_plain(error_of(pool.submit(denied).result), plain)
    assert "gnomon" not in sys.modules


def quiet():
    modules, events = set(sys.modules), []
    sys.addaudithook(lambda event, args: events.append(event))
    for denied in (read, start, load, read):
        error = error_of(denied)
        str(error), repr(error), error.__reduce__()
    assert events == [] and set(sys.modules) == modules, (events, set(sys.modules) - modules)


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

    arguments = [(MESSAGE.encode(), name, FILE) for name in (None, MODULE.encode())]
    kinds = set()
    # In the first rounds the classes are not there yet, nor is memory for one of their parts.
    for missing in range(200):
        for message, name, path in arguments:
            kind = None
            _testcapi.set_nomemory(missing, missing + 1)
            try:
                rehearse(message, name, path)
            except Exception as error:
                kind = type(error)
            _testcapi.remove_mem_hooks()
            # The last two are those of ctypes, before it calls.
            natural = ImportError if name else PermissionError
            assert kind is not None and issubclass(kind, (natural, MemoryError, ctypes.ArgumentError)), kind
            kinds.add(kind.__name__)
    assert kinds >= {"PolicyDenied", "PermissionError", "ImportError"}, kinds
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
