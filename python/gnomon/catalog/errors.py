"""What a wrong catalogue raises; the command line prints it, with its remedy."""

from __future__ import annotations


class CatalogError(ValueError):
    """A catalogue cannot be used: the text names the file, the table and the key.

    Attributes:
        hint: What would help, or `None`.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
