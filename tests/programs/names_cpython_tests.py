"""Prints which of the named tests this CPython has, and fails where it came without any."""

import os
import sys

import test.regrtest

for name in sys.argv[1:]:
    if any(
        os.path.exists(os.path.join(folder, name + end)) for folder in test.__path__ for end in ("", ".py")
    ):
        print(name)
