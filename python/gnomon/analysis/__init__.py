"""Records as SQL: the views that every report, export and question is written against (docs/views.md).

Not promised: a moving picture. A table is loaded when the first question needs it, and stays as it was then.
"""

from __future__ import annotations

from .engine import MissingLibrary
from .questions import Analysis
from .schema import Column, View, views

__all__ = ["Analysis", "Column", "MissingLibrary", "View", "views"]
