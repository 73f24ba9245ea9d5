"""Programs under a policy: compiled here, and given to them as `gnomon run` does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gnomon.policy import compiled, write
from watching import Ended, armed


def policy(text: str, folder: Path, name: str = "test") -> str:
    """The path of the compiled form of a policy that says `text`."""
    source = folder / f"{name}.toml"
    source.write_text(text)
    target = folder / f"{name}.gnomon-policy"
    write(compiled([source]), target)
    return str(target)


def under(policies: str | Sequence[str], argv: Sequence[str], spool: Path, **options: Any) -> Ended:
    """Runs `argv` to its end under compiled policies."""
    paths = [policies] if isinstance(policies, str) else policies
    return armed(argv, spool, GNOMON_POLICY=os.pathsep.join(paths), **options)
