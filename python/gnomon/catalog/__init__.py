"""Facts about AI services, hosts, sensitive paths and capabilities, in TOML files that anyone can change.

Facts only: who may do what is a policy's business, and what is worth a finding that of the findings.
"""

from .catalog import Catalog
from .entries import (
    AiLibrary,
    Capability,
    Egress,
    FileType,
    Internal,
    Library,
    Sensitivity,
    Server,
    Service,
    Words,
)
from .errors import CatalogError

__all__ = [
    "AiLibrary",
    "Capability",
    "Catalog",
    "CatalogError",
    "Egress",
    "FileType",
    "Internal",
    "Library",
    "Sensitivity",
    "Server",
    "Service",
    "Words",
]
