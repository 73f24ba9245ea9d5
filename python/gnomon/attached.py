# ruff: noqa: SIM105
"""What `gnomon attach` has a running program execute: begins its recording, and says what came of it.

The text of this file, and calls of `_begin` behind it, run in the program's main thread, at some moment of
its own code, in a namespace that is dropped at the end: nothing stays but the recorder. It imports only what
is built in, prints nothing, and raises nothing. What it does is not recorded, as all but its answer comes
before the recorder begins. Its annotations are never evaluated: it runs on Python 3.14 and later only.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

    Before = list[tuple[str, str | None]]


def _begin(order: dict[str, Any]) -> None:
    """Begins, and answers. What was done already when this was interrupted is not done again."""
    if "said" not in order:
        order["said"] = _try(order)
    if "is_said" not in order:
        _say(order)


def _interrupted(order: dict[str, Any], interruption: BaseException) -> None:
    """Ctrl-C, or what one of the program's signal handlers raised just now: it is for the program."""
    order.setdefault("said", "interrupted")
    order["later"] = _raise_later(interruption)


def _say(order: dict[str, Any]) -> None:
    import posix

    try:
        answer = order.get("descriptor") or _open_answer(order)
        posix.write(answer, order["said"].encode("utf-8", "backslashreplace")[:4000] + b"\n")
        posix.close(answer)
    except OSError:
        pass  # nobody waits for it, or it was given
    order["is_said"] = True


def _open_answer(order: dict[str, Any]) -> int:
    import posix

    flags = posix.O_WRONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC
    order["descriptor"] = descriptor = posix.open(order["answer"], flags)
    return descriptor


def _try(order: dict[str, Any]) -> str:
    try:
        _open_answer(order)
        policies = [(path, _read(source)) for path, source in order["policies"]]
        _remove(order)
        problem = _record(order, policies)
        return "failed " + problem if problem else "recorded"
    except Exception as error:
        return "failed " + (str(error) or repr(error))


def _remove(order: dict[str, Any]) -> None:
    """Takes away the files that brought this here: they are open or have been read."""
    import posix

    try:
        for path in order["files"]:
            posix.unlink(path)
        posix.rmdir(order["directory"])
    except OSError:
        pass


def _record(order: dict[str, Any], policies: list[tuple[str, bytes]]) -> str | None:
    """Begins the recording. Returns why not, if so."""
    import sys

    for directory in order["directories"]:
        _make(directory)
    for path, data in policies:
        _write(path, data)
    before: Before = []
    problem: str | None = "it was interrupted"
    try:
        _set_environment(order, before)
        problem = _arm(order["package"])
    finally:
        if problem or not order["children"]:
            _restore_environment(before)
    if not problem:
        try:
            # How it came to be recorded stands in its record.
            sys.audit("cpython.remote_debugger_script", order["files"][0])
        except Exception:
            pass
    return problem


def _arm(package: str) -> str | None:
    import _imp
    import sys

    machinery = sys.modules["_frozen_importlib_external"]
    refused = None
    for suffix in _imp.extension_suffixes():
        path = package + "/_native" + suffix
        try:
            machinery._path_stat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused = "cannot read `" + path + "`: " + str(error.strerror).lower()
            continue
        spec = sys.modules["_frozen_importlib"].ModuleSpec("_arm", None, origin=path)
        module = _imp.create_dynamic(spec)
        _imp.exec_dynamic(module)
        problem: str | None = getattr(module, "error", None)
        return problem
    return refused or "there is no library for this build of Python in `" + package + "`"


def _make(directory: str) -> None:
    import posix

    try:
        posix.mkdir(directory, 0o700)
    except FileExistsError:
        pass


def _read(path: str) -> bytes:
    import posix

    descriptor = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        parts: list[bytes] = []
        while True:
            part = posix.read(descriptor, 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
    finally:
        posix.close(descriptor)


def _write(path: str, data: bytes) -> None:
    """Puts a policy into the spool, under the name of its content, unless it is there."""
    import posix

    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        descriptor = posix.open(path, flags, 0o600)
    except FileExistsError:
        return
    try:
        while data:
            data = data[posix.write(descriptor, data) :]
    finally:
        posix.close(descriptor)


def _set_environment(order: dict[str, Any], before: Before) -> None:
    """Says where records go, to the recorder and to the Pythons that the program will start."""
    import posix
    import sys

    if not order["environment"]:
        return
    environ = sys.modules["os"].environ
    for name, value in order["environment"].items():
        old = environ.get(name)
        others = old.split(":") if name in order["lists"] and old else []
        new = ":".join([value, *(entry for entry in others if entry not in ("", value))])
        before.append((name, old))
        environ[name] = new
        posix.putenv(name, new)  # a test may have put a dictionary in the place of `os.environ`


def _restore_environment(before: Before) -> None:
    import posix
    import sys

    for name, old in before:
        environ = sys.modules["os"].environ
        if old is None:
            environ.pop(name, None)
            posix.unsetenv(name)
        else:
            environ[name] = old
            posix.putenv(name, old)


def _raise_later(interruption: BaseException) -> list[int]:
    """Has the program's own code raise what came up here, where it would be lost."""
    import _signal  # type: ignore[import-not-found, unused-ignore]

    before = _signal.getsignal(_signal.SIGINT)

    def raise_now(number: int, frame: FrameType | None) -> None:
        _signal.signal(_signal.SIGINT, before)
        raise interruption.with_traceback(None)

    try:
        _signal.signal(_signal.SIGINT, raise_now)
    except ValueError:  # not the main thread: no handler runs here
        return []
    return [_signal.SIGINT]
