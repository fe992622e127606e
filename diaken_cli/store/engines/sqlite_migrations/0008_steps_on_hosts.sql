-- A step has a batch where there are several, and results of its own on each host; a run may wait for
-- a person or a moment. Of older deploys that may be resumed, provision's results are carried over.

ALTER TABLE run ADD COLUMN paused_until DATETIME;
ALTER TABLE run_step ADD COLUMN batch INTEGER;
CREATE TABLE run_step_host (
    run_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    host VARCHAR NOT NULL,
    status VARCHAR(11) NOT NULL,
    ok INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unreachable INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    ignored INTEGER NOT NULL,
    failed_task VARCHAR,
    message VARCHAR,
    PRIMARY KEY (run_id, position, host),
    FOREIGN KEY(run_id, position) REFERENCES run_step (run_id, position) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO run_step_host
    SELECT run_host.run_id, run_step.position, host, run_host.status, ok, changed, failed, unreachable,
        skipped, ignored, failed_task, message
    FROM run JOIN run_host ON run_host.run_id = run.id
        JOIN run_step ON run_step.run_id = run.id AND run_step.name = 'provision'
    WHERE run.kind = 'deploy' AND run.status IN ('failed', 'canceled', 'interrupted');
