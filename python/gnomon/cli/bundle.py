"""`gnomon bundle`: the payload as a tarball, a Debian package or an RPM, for IT's own tools."""

from __future__ import annotations

import argparse

_EPILOG = """\
Unpack the tarball on a machine and run install.sh as root; remove.sh takes it out again. The packages do
both by themselves.
"""


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "bundle",
        help="make a tarball, .deb or .rpm that installs gnomon on machines",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=("tar", "deb", "rpm"),
        help="what to make, may repeat (default: tar)",
    )
    parser.add_argument("--output", metavar="DIR", default=".", help="where to put it (default: here)")
    parser.add_argument("--config", metavar="FILE", help="the gnomon.toml for the machines")
    parser.add_argument(
        "--policy", metavar="FILE", action="append", default=[], help="a policy for the machines, may repeat"
    )
    parser.add_argument(
        "--maintainer",
        metavar="NAME",
        default="IT <root@localhost>",
        help="whom the packages name: `Jo Doe <jo@example.com>`",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Runs the verb."""
    from ..rollout import bundle
    from .rolled import as_failures

    with as_failures():
        made = bundle.make(options.config, tuple(options.policy))
        for form in dict.fromkeys(options.format or ["tar"]):
            print(bundle.write(made, form, options.output, options.maintainer))
    return 0
