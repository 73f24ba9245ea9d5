"""What the rollout raises, as the command line prints it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..rollout.errors import RolloutError
from .errors import Failure


@contextlib.contextmanager
def as_failures() -> Iterator[None]:
    """Turns the rollout's errors into the command line's."""
    try:
        yield
    except RolloutError as error:
        failure = Failure(str(error), hint=error.hint)
        failure.exit_code = error.exit_code
        raise failure from None
