"""What the rollout raises when it cannot go on; the command line prints it, with its remedy."""

from __future__ import annotations


class RolloutError(Exception):
    """What was asked cannot be done.

    Attributes:
        hint: What would help, or `None`.
        exit_code: What the shell gets.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class RolloutUsageError(RolloutError):
    """The command line itself is wrong."""

    exit_code = 2
