# gnomon: records what Python programs do. `gnomon uninstall --all` takes it out and puts back what was here.
"""What interpreter start runs on a managed machine: arms gnomon, then hands on to the next sitecustomize.

`gnomon install` puts this into a base interpreter's library directory, from where every environment of that
interpreter starts it, also under -I and -E. Edit _gnomon_kept_sitecustomize.py instead, which is what was
here before, and runs after this. Imports nothing but the library, by path. Whatever goes wrong, the program
starts: silently, or with a line on stderr where GNOMON_DEBUG is set. It runs on every Python from 2.7 on, and
arms on CPython 3.9 and later.
"""

import sys

ROOT = "/opt/gnomon"


def _arm():
    import _imp  # built in

    machinery = sys.modules["_frozen_importlib_external"]
    for suffix in _imp.extension_suffixes():
        path = ROOT + "/current/_native" + suffix
        try:
            size = machinery._path_stat(path).st_size
        except OSError:
            continue
        if not _is_whole(path, size):
            return "the library " + path + " was cut short"
        spec = sys.modules["_frozen_importlib"].ModuleSpec("_arm", None, origin=path)
        module = _imp.create_dynamic(spec)
        _imp.exec_dynamic(module)
        return getattr(module, "error", None)
    return "no library for this Python in " + ROOT + "/current"


def _is_whole(path, size):
    """Loading what was cut short would end the program: an ELF file says where its last table begins."""
    import _io

    with _io.FileIO(path) as file:
        head = file.read(64)
    place = head[40:48] if head[4:5] == b"\x02" else head[32:36]
    return head[:4] != b"\x7fELF" or int.from_bytes(place, sys.byteorder) < size


def _rest(directory):
    """The search path that comes after the directory that this is in."""
    for at, entry in enumerate(sys.path):
        if entry.replace("\\", "/").rstrip("/") == directory:
            return sys.path[at + 1 :]
    return sys.path[:]


def _kept_or_next(frozen, machinery, here):
    """The spec of what would run without us: it stood here and was moved aside, or comes later."""
    directory = here.rpartition("/")[0]
    kept = directory + "/_gnomon_kept_sitecustomize.py"
    try:
        machinery._path_stat(kept)
    except OSError:
        pass
    else:
        loader = machinery.SourceFileLoader("sitecustomize", kept)
        spec = frozen.ModuleSpec("sitecustomize", loader, origin=here)
        spec.has_location = True  # its __file__ is what it always was
        return spec
    for finder in sys.meta_path:
        path = _rest(directory) if finder is machinery.PathFinder else None
        find = getattr(finder, "find_spec", None)
        spec = find("sitecustomize", path) if find else None
        if spec is not None and spec.origin != here:
            return spec
    return None


def _hand_on():
    here = __file__.replace("\\", "/")
    own = sys.modules.pop("sitecustomize", None)  # held: Python 2 empties a module that nobody holds
    if sys.version_info < (3, 5):
        import imp

        found = imp.find_module("sitecustomize", _rest(here.rpartition("/")[0]))
        return imp.load_module("sitecustomize", *found) and own
    frozen = sys.modules["_frozen_importlib"]
    spec = _kept_or_next(frozen, sys.modules["_frozen_importlib_external"], here)
    if spec is not None:
        return frozen._load_unlocked(spec)
    # What site expects where there is none.
    error = (ImportError if sys.version_info < (3, 6) else ModuleNotFoundError)(
        "No module named 'sitecustomize'"
    )
    error.name = "sitecustomize"
    raise error


def _start():
    try:
        problem = _arm() if sys.version_info >= (3, 9) else "this Python is older than 3.9"
    except Exception as error:
        problem = repr(error)
    if problem:
        import os  # loaded already: site uses it

        if os.environ.get("GNOMON_DEBUG"):
            sys.stderr.write("gnomon: not recording: " + problem + "\n")


_start()
_hand_on()
