"""`gnomon policy compile`: policy files to the one that processes read."""

from __future__ import annotations

import argparse
import os
import sys


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "compile",
        help="make the form that processes read",
        description=(
            "Compiles policy files into one; several combine by the strictest verdict. Processes that are "
            "running take up what replaces their policy within seconds. Replace it with this verb, or by a "
            "rename: a large policy is mapped, and must not be written over in place."
        ),
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy file")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default: beside the first)")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ...policy import SUFFIX, write
    from ..errors import Failure
    from . import load

    data = load(options.files)
    output = options.output or os.path.splitext(options.files[0])[0] + SUFFIX
    try:
        write(data, output)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failure(f"cannot write `{output}`: {reason}", hint="name another file with -o") from None
    print(f"{output}: {len(data):,} bytes", file=sys.stderr)
    return 0
