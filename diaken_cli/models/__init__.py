"""The tables, a module for those that are read together, and what their columns have in common.

No relationship, no method that queries: the store reads and writes them. To make the class of a
table takes 2 ms, so a command imports those that it reads. To write a row SQLAlchemy needs
the tables, too, that its foreign keys name: each module imports them, except where that would be a
ring: `store.hosts` imports the runs that Host names, `store.runs` the scheduled tasks of Run.

All times are aware and in UTC. JSON columns carry `"v": 1` where their shape may change.
History copies names; ids only help, so that a removed host does not take its past along.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, Enum, Index, text
from sqlmodel import Field

SMALL_ROWS = {"sqlite_with_rowid": False}
"""A table of small rows is its primary key's index: a million runs are 35 MB less."""
NEW_NUMBERS = {"sqlite_autoincrement": True}
"""A table whose rows never get the number of one that was removed."""


def unique_where(name: str, *columns: str, condition: str) -> Index:
    """An index by which these columns are unique among the rows that meet the condition."""
    # PostgreSQL's `postgresql_where` beside it would load that dialect in each call.
    return Index(name, *columns, unique=True, sqlite_where=text(condition))


def enum_column(kind: type[StrEnum]) -> Any:
    """A column of the values of an enumeration, as text."""
    # Without values_callable SQLAlchemy stores the *name*, and raw SQL on 'pending' never matches.
    values = Enum(kind, values_callable=lambda enum: [e.value for e in enum], native_enum=False)
    return Field(sa_column=Column(values, nullable=False))


def json_column(server_default: str | None = None) -> Any:
    """A column of what JSON knows; `server_default` is JSON, for rows of before the column."""
    default = None if server_default is None else text(f"'{server_default}'")
    return Field(sa_column=Column(JSON, nullable=False, server_default=default))


def nullable_json_column() -> Any:
    """A column of what JSON knows; None is SQL's NULL, not JSON's."""
    return Field(default=None, sa_column=Column(JSON(none_as_null=True)))
