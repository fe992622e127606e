"""What the database knows of itself, and which errors were reported."""

from datetime import datetime

from sqlmodel import Field, SQLModel


class Meta(SQLModel, table=True):
    """What the database knows of itself: `database_id`, `owner`, `paused_until`."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


class Notice(SQLModel, table=True):
    """A lasting error that was reported: once, then once a day."""

    __tablename__ = "notice"

    key: str = Field(primary_key=True)
    first_at: datetime
    told_at: datetime
