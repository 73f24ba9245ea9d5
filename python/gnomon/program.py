"""Which programs given to `gnomon run` are files that Python runs, and no commands of their own."""

from __future__ import annotations

_ENDINGS = (".py", ".pyw", ".pyc", ".pyz")


def is_python_file(word: str) -> bool:
    """Whether `word` names a file that Python runs."""
    return word.lower().endswith(_ENDINGS)
