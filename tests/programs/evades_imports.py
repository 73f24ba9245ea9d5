"""Imports a module that is denied, by all ways but the plain one."""

import importlib
import importlib.machinery
import importlib.util
import os
import runpy
import sys
import zipimport

import outcomes
from outcomes import attempt

MODULES = sys.argv[1]


def afterwards(act):
    """What was loaded, if anything."""
    before = set(sys.modules)
    try:
        act()
    finally:
        loaded = set(sys.modules) - before
        for name in loaded:
            del sys.modules[name]
    return sorted(name for name in loaded if "denied" in name)


def importing(act):
    outcomes.ATTEMPTS[act.__name__] = lambda: afterwards(act)
    return act


@importing
def statement():
    import denied_module  # noqa: F401


@importing
def from_statement():
    from denied_module import value  # noqa: F401


@importing
def package():
    import denied_package  # noqa: F401


@importing
def submodule():
    import denied_package.below  # noqa: F401


@importing
def submodule_alone():
    import partly.denied.below  # noqa: F401


@importing
def namespace():
    import spread.denied.below  # noqa: F401


@importing
def import_module():
    importlib.import_module("denied_module")


@importing
def dunder_import():
    __import__("denied_package", fromlist=["below"])


@importing
def text():
    exec("import denied_module")


@importing
def spec():
    found = importlib.util.find_spec("denied_module")
    found.loader.exec_module(importlib.util.module_from_spec(found))


@importing
def spec_by_another_name():
    found = importlib.util.spec_from_file_location("innocent", f"{MODULES}/denied_module.py")
    found.loader.exec_module(importlib.util.module_from_spec(found))


@importing
def loader():
    importlib.machinery.SourceFileLoader("innocent", f"{MODULES}/denied_module.py").load_module()


@importing
def lazy():
    found = importlib.util.find_spec("denied_module")
    found.loader = importlib.util.LazyLoader(found.loader)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.value


@importing
def reload():
    import public_module

    public_module.__spec__.name = public_module.__name__ = "denied_module"
    sys.modules["denied_module"] = public_module
    importlib.reload(public_module)


@importing
def archive():
    zipimport.zipimporter(f"{MODULES}/archive.zip").load_module("denied_in_archive")


@importing
def run_module():
    runpy.run_module("denied_module")


@importing
def run_path():
    runpy.run_path(f"{MODULES}/denied_module.py")


@importing
def extension():
    import _lsprof  # noqa: F401


@importing
def extension_by_another_name():
    found = importlib.util.find_spec("_lsprof")
    copy = importlib.util.spec_from_file_location("_lsprof", found.origin)
    importlib.util.module_from_spec(copy)


@importing
def distribution():
    import denied_by_distribution  # noqa: F401


@importing
def distribution_below():
    import shared.of_denied  # noqa: F401


@importing
def distribution_of_another_version():
    import allowed_by_version  # noqa: F401


@importing
def by_another_module():
    import imports_denied_module  # noqa: F401


# What a policy does not stop.


@importing
def loaded_already():
    sys.modules["denied_module"] = sys
    import denied_module  # noqa: F401

    del sys.modules["denied_module"]


@attempt
def built_in():
    import _tracemalloc  # noqa: F401

    return "_tracemalloc" in sys.modules


@attempt
def text_of_the_module():
    space = {}
    exec(compile(open(f"{MODULES}/denied_module.py").read(), "innocent.py", "exec"), space)
    return space["value"]


@attempt
def copy_under_another_name():
    import copied

    return copied.value


@attempt
def bytecode_alone():
    """What was compiled elsewhere says where."""
    import only_bytecode

    return only_bytecode.value


if __name__ == "__main__":
    sys.argv[1:] = []
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    outcomes.print_all()
