"""Does without a file that it cannot have, and then ends by an error of its own."""

import sys


def read():
    try:
        with open(sys.argv[1]) as file:
            return file.read()
    except OSError:
        return "without"


print(read())
try:
    raise KeyError("its own")
except KeyError:
    sys.exit(7 if len(sys.argv) > 2 else ["its own"].index("another"))
