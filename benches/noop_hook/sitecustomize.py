"""Loads the no-op hook from beside this file, by the same calls as gnomon's own sitecustomize."""

import sys


def _load(directory):
    import _imp

    spec = sys.modules["_frozen_importlib"].ModuleSpec("_noop", None, origin=directory + "/_noop.so")
    _imp.exec_dynamic(_imp.create_dynamic(spec))
    # As gnomon does. Left on the path, this directory would be searched at every import that follows.
    sys.path[:] = [entry for entry in sys.path if entry != directory]


_load(__file__.rpartition("/")[0])
del _load
