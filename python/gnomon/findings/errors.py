"""What a wrong rule or suppression raises; the command line prints it, with its remedy."""

from __future__ import annotations


class FindingsError(ValueError):
    """A rule or a suppression cannot be used: the text names the file and, where it is known, the line.

    Attributes:
        hint: What would help, or `None`.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
