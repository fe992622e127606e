"""What is a database engine's own: opening, transactions, locks, copies, the schema, its faults.

The rest of the store asks a `Database` for it, and else writes what every engine understands.
"""

from diaken_cli.store.engines.sqlite import Database
from diaken_cli.store.engines.sqlite_file import (
    exposure_hint,
    exposures,
    is_full,
    require_database,
)

__all__ = ["Database", "exposure_hint", "exposures", "is_full", "require_database"]
