"""The policies of a machine: compiled before anything is changed, then put where processes look for them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from .errors import RolloutError
from .layout import Layout
from .ledger import write_file


def compiled(layout: Layout, paths: Sequence[str], *, is_observed: bool) -> dict[str, bytes]:
    """The compiled policies by the path that each will have.

    That path depends on the source's alone: running processes look there for its next version.

    Raises:
        RolloutError: One of them is wrong.
    """
    if not paths:
        return {}
    from ..policy import SUFFIX

    found: dict[str, bytes] = {}
    for path in paths:
        data = compiled_one(path, is_observed=is_observed)
        name = os.path.splitext(os.path.basename(path))[0]
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
        found[f"{layout.policies}/{name}-{digest}{SUFFIX}"] = data
    return found


def compiled_one(path: str, *, is_observed: bool = False) -> bytes:
    """The compiled form of the policy at `path`, which may be compiled already.

    Raises:
        RolloutError: It is wrong.
    """
    from ..policy import SUFFIX
    from .payload import load_library

    load_library()
    return _checked(path, is_observed) if path.endswith(SUFFIX) else _compiled(path, is_observed)


def _compiled(path: str, is_observed: bool) -> bytes:
    from ..policy import as_text

    try:
        from .._native import compile_policy
    except ImportError as error:
        raise RolloutError(f"cannot compile policies: {error}", hint="install with another Python") from None
    data, problems = compile_policy([path], is_observed)
    if data is None:
        said = "\n".join(as_text(problem) for problem in problems)
        raise RolloutError(
            f"cannot use the policy `{path}`: it has errors\n{said}", hint="mend it; nothing was changed"
        )
    return data


def _checked(path: str, is_observed: bool) -> bytes:
    """A policy that was compiled elsewhere, as `gnomon bundle` does."""
    from .._native import policy_rules

    if is_observed:
        raise RolloutError(
            f"cannot only observe `{path}`: it is compiled already",
            hint='write mode = "observe" into its source',
        )
    try:
        policy_rules(path)
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise RolloutError(f"cannot use the policy `{path}`: {error}", hint="compile it again") from None


def put(layout: Layout, policies: dict[str, bytes]) -> None:
    """Writes them, each in one step."""
    os.makedirs(layout.policies, mode=0o755, exist_ok=True)
    for path, data in policies.items():
        write_file(path, data)


def prune(layout: Layout, policies: dict[str, bytes]) -> None:
    """Removes those that the settings no longer name."""
    for name in os.listdir(layout.policies):
        path = f"{layout.policies}/{name}"
        if path not in policies:
            os.unlink(path)
