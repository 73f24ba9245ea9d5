"""What comes of things that are tried, as the programs about policies print it."""

import json
import sys

ATTEMPTS = {}


def attempt(act):
    """Registers a function under its name. What it returns is part of its outcome."""
    ATTEMPTS[act.__name__] = act
    return act


def outcome(act):
    try:
        return f"done: {act()}"
    except BaseException as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        if "PolicyDenied" in kinds:
            return f"denied as {kinds[2]}"
        return f"{kinds[0]}: {error}"


def print_all():
    """Tries all of them, or those that are named on the command line."""
    names = sys.argv[1:] or list(ATTEMPTS)
    json.dump({name: outcome(ATTEMPTS[name]) for name in names}, sys.stdout)
