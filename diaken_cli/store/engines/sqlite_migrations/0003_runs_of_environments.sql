-- A run can be about an environment: `target_type` has longer words. SQLite does not measure what
-- it stores, so only the declaration changes, and no row; a version that does not know the word
-- refuses the newer schema. How: https://www.sqlite.org/lang_altertable.html#otheralter

PRAGMA writable_schema=ON;
UPDATE sqlite_master SET sql = replace(sql, 'target_type VARCHAR(5)', 'target_type VARCHAR(11)')
    WHERE type = 'table' AND name IN ('run', 'scheduled_task');
PRAGMA writable_schema=RESET;
