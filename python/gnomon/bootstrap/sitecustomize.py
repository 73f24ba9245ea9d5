"""What interpreter start runs: arms gnomon, then hands on to the sitecustomize that it stands before.

Imports nothing but the extension, by path, so that it works in every Python the directory is given to.
Whatever goes wrong, the program starts: silently, or with a line on stderr where GNOMON_DEBUG is set.
It runs on every Python from 2.7 on, and arms on CPython 3.9 and later.
"""

import sys


def _arm(directory):
    import _imp  # built in

    machinery = sys.modules["_frozen_importlib_external"]
    base = directory.rpartition("/")[0]
    for suffix in _imp.extension_suffixes():
        path = base + "/_native" + suffix
        try:
            machinery._path_stat(path)
        except OSError:
            continue
        spec = sys.modules["_frozen_importlib"].ModuleSpec("_arm", None, origin=path)
        module = _imp.create_dynamic(spec)
        _imp.exec_dynamic(module)
        return getattr(module, "error", None), module.is_last(__file__)
    return "no library for this Python beside " + directory, False


def _start():
    """Arms; returns whether it is known that no other sitecustomize follows."""
    is_last = False
    directory = __file__.replace("\\", "/").rpartition("/")[0]
    try:
        problem = "this Python is older than 3.9"
        if sys.version_info >= (3, 9):
            problem, is_last = _arm(directory)
    except Exception as error:
        problem = repr(error)
    if problem:
        import os  # loaded already: site uses it

        if os.environ.get("GNOMON_DEBUG"):
            sys.stderr.write("gnomon: not recording: " + problem + "\n")
    # The program's search path is as it would be without us.
    for entry in sys.path[:]:
        if entry.replace("\\", "/").rstrip("/") == directory:
            sys.path.remove(entry)
            sys.path_importer_cache.pop(entry, None)
    sys.modules.pop("sitecustomize", None)
    return is_last


if _start():
    # What site expects where there is none: that would be found out by listing the directories of the path.
    raise ModuleNotFoundError("No module named 'sitecustomize'", name="sitecustomize")
del _start, _arm

# The next one on the path: Debian's, ddtrace's, OpenTelemetry's. Where there is none this raises the
# ImportError of a missing sitecustomize, which site expects. No statement, as that may be a lazy import
# since 3.15, which nobody would ever need.
__import__("sitecustomize")
