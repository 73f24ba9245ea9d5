"""`gnomon keep`: keeps a spool in its bounds, by `gnomon.rollout.keep`, which timers run too."""

from __future__ import annotations

import argparse


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the verb to the list of all; its own command line is parsed elsewhere."""
    verbs.add_parser("keep", help="seal, count and evict what a spool holds", add_help=False)
