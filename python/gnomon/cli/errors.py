"""What a verb raises when it cannot go on; printed in one place, with its remedy."""

from __future__ import annotations


class Failure(Exception):
    """The command cannot do what was asked.

    Attributes:
        hint: A real command or change that would help, or `None`.
        exit_code: What the shell gets.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(Failure):
    """The command line itself is wrong."""

    exit_code = 2
