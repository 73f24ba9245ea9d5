"""Known vulnerabilities of what was imported, from an OSV database that was brought here as a file.

Nothing here uses the network. `source` reads what OSV exports, `advisory` makes plain data of a record,
`database` keeps it in one indexed file, `matching` answers for names and versions, `tables` gives the
answers to DuckDB. Where no database is, or a version cannot be compared, the answer is `not checked`.
"""

from __future__ import annotations

from .database import Database, DatabaseError, default_database, find_database
from .matching import NO_KNOWN_VULNERABILITY, NOT_CHECKED, VULNERABLE, Checked, Vulnerability, check
from .tables import install

__all__ = [
    "NOT_CHECKED",
    "NO_KNOWN_VULNERABILITY",
    "VULNERABLE",
    "Checked",
    "Database",
    "DatabaseError",
    "Vulnerability",
    "check",
    "default_database",
    "find_database",
    "install",
]
