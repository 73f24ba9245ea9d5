# gnomon: records what Python programs do. `gnomon uninstall --all` puts back what was here before.
"""What interpreter start runs on a managed machine: arms gnomon, then hands on to the next sitecustomize.

`gnomon install` puts this into a base interpreter's library directory, from where every environment of that
interpreter starts it, also under -I and -E. Edit _gnomon_kept_sitecustomize.py instead, which is what was
here before, and runs after this. Imports nothing but the library, by path. Whatever goes wrong, the program
starts: silently, or with a line on stderr where GNOMON_DEBUG is set. Only for CPython from 3.9 on.
"""

import sys

ROOT = "/opt/gnomon"


def _arm(frozen):
    import _imp  # built in

    suffixes = _imp.extension_suffixes()
    path = ROOT + "/current/_native" + (".abi3.so" if ".abi3.so" in suffixes else suffixes[0])
    if not _is_whole(path):
        raise ImportError("the library " + path + " was cut short")
    module = _imp.create_dynamic(frozen.ModuleSpec("_arm", None, origin=path))
    _imp.exec_dynamic(module)
    return module


def _is_whole(path):
    """Loading what was cut short would end the program: an ELF file says where its last table begins."""
    import _io

    with _io.FileIO(path) as file:
        head = file.read(64)
        size = file.seek(0, 2)
    place = head[40:48] if head[4:5] == b"\x02" else head[32:36]
    return head[:4] != b"\x7fELF" or int.from_bytes(place, sys.byteorder) < size


def _complain(problem):
    import os  # loaded already: site uses it

    if os.environ.get("GNOMON_DEBUG"):
        sys.stderr.write("gnomon: not recording: " + problem + "\n")


def _kept_or_next(frozen):
    """The spec of what would run without us: it stood here and was moved aside, or comes later."""
    machinery = sys.modules["_frozen_importlib_external"]
    directory = __file__.rpartition("/")[0]
    kept = directory + "/_gnomon_kept_sitecustomize.py"
    try:
        machinery._path_stat(kept)
    except OSError:
        pass
    else:
        loader = machinery.SourceFileLoader("sitecustomize", kept)
        spec = frozen.ModuleSpec("sitecustomize", loader, origin=__file__)
        spec.has_location = True  # its __file__ is what it always was
        return spec
    path = [entry.rstrip("/") for entry in sys.path]
    rest = sys.path[path.index(directory) + 1 :] if directory in path else sys.path
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find("sitecustomize", rest if finder is machinery.PathFinder else None) if find else None
        if spec is not None and spec.origin != __file__:
            return spec
    return None


def _start():
    frozen = sys.modules["_frozen_importlib"]
    is_last = False
    try:
        module = _arm(frozen)
        if hasattr(module, "error"):
            _complain(module.error)
        is_last = module.is_last(__file__)
    except Exception as error:
        _complain(repr(error))
    del sys.modules["sitecustomize"]
    spec = None if is_last else _kept_or_next(frozen)
    if spec is not None:
        return frozen._load_unlocked(spec)
    # What site expects where there is none.
    raise ModuleNotFoundError("No module named 'sitecustomize'", name="sitecustomize")


_start()
