-- How long a run that was resumed had lain idle in between; of older ones it is not known: not at all.

ALTER TABLE run ADD COLUMN idle_seconds FLOAT DEFAULT 0 NOT NULL;
