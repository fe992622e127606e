-- The first schema. A step that was released is never changed: a change is the next step.

CREATE TABLE environment (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE meta (
    "key" VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE notice (
    "key" VARCHAR NOT NULL,
    first_at DATETIME NOT NULL,
    told_at DATETIME NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE setting (
    "key" VARCHAR NOT NULL,
    value JSON NOT NULL,
    PRIMARY KEY ("key")
);

CREATE TABLE task_name (
    id INTEGER NOT NULL,
    playbook VARCHAR NOT NULL,
    play VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (playbook, play, task, action)
);

CREATE TABLE vcenter (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    server VARCHAR NOT NULL,
    username VARCHAR NOT NULL,
    secret_kind VARCHAR(7) NOT NULL,
    secret_ref VARCHAR NOT NULL,
    ca_file VARCHAR,
    insecure BOOLEAN NOT NULL,
    datacenter VARCHAR,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE host_group (
    id INTEGER NOT NULL,
    environment_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    vars JSON NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (environment_id, name),
    UNIQUE (id, environment_id),
    FOREIGN KEY(environment_id) REFERENCES environment (id) ON DELETE RESTRICT
);

CREATE TABLE host (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    ip VARCHAR NOT NULL,
    environment_id INTEGER NOT NULL,
    group_id INTEGER,
    vcenter_id INTEGER,
    vm_uuid VARCHAR,
    active BOOLEAN NOT NULL,
    ssh_user VARCHAR,
    port INTEGER,
    "key" VARCHAR,
    python VARCHAR,
    vars JSON NOT NULL,
    description VARCHAR,
    created_at DATETIME NOT NULL,
    deployed_by INTEGER,
    PRIMARY KEY (id),
    FOREIGN KEY(group_id, environment_id) REFERENCES host_group (id, environment_id) ON DELETE RESTRICT,
    UNIQUE (name),
    UNIQUE (ip),
    FOREIGN KEY(environment_id) REFERENCES environment (id) ON DELETE RESTRICT,
    FOREIGN KEY(vcenter_id) REFERENCES vcenter (id) ON DELETE RESTRICT,
    FOREIGN KEY(deployed_by) REFERENCES run (id) ON DELETE SET NULL
);

CREATE TABLE scheduled_task (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name VARCHAR NOT NULL,
    target_type VARCHAR(5) NOT NULL,
    host_id INTEGER,
    group_id INTEGER,
    target VARCHAR NOT NULL,
    environment VARCHAR NOT NULL,
    playbook VARCHAR NOT NULL,
    options JSON NOT NULL,
    wall_at VARCHAR NOT NULL,
    timezone VARCHAR NOT NULL,
    fold INTEGER NOT NULL,
    rrule VARCHAR,
    grace_s INTEGER NOT NULL,
    due_at DATETIME,
    status VARCHAR(9) NOT NULL,
    last_run_id INTEGER,
    error VARCHAR,
    FOREIGN KEY(host_id) REFERENCES host (id) ON DELETE RESTRICT,
    FOREIGN KEY(group_id) REFERENCES host_group (id) ON DELETE RESTRICT
);

CREATE INDEX ix_scheduled_task_due ON scheduled_task (status, due_at);

CREATE UNIQUE INDEX ix_scheduled_task_name ON scheduled_task (name) WHERE status IN ('pending', 'running');

CREATE TABLE missed (
    scheduled_task_id INTEGER NOT NULL,
    due_at DATETIME NOT NULL,
    noticed_at DATETIME NOT NULL,
    reason VARCHAR NOT NULL,
    PRIMARY KEY (scheduled_task_id, due_at),
    FOREIGN KEY(scheduled_task_id) REFERENCES scheduled_task (id) ON DELETE CASCADE
);

CREATE TABLE run (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    uid VARCHAR NOT NULL,
    lock VARCHAR,
    node VARCHAR NOT NULL,
    pid INTEGER NOT NULL,
    user VARCHAR NOT NULL,
    "trigger" VARCHAR(8) NOT NULL,
    kind VARCHAR(8) NOT NULL,
    target_type VARCHAR(5) NOT NULL,
    target VARCHAR NOT NULL,
    target_id INTEGER,
    environment VARCHAR,
    playbook VARCHAR,
    scheduled_task_id INTEGER,
    due_at DATETIME,
    request JSON NOT NULL,
    status VARCHAR(11) NOT NULL,
    error JSON,
    started_at DATETIME NOT NULL,
    finished_at DATETIME,
    hosts INTEGER NOT NULL,
    ok_hosts INTEGER NOT NULL,
    failed_hosts INTEGER NOT NULL,
    unreachable_hosts INTEGER NOT NULL,
    skipped_hosts INTEGER NOT NULL,
    FOREIGN KEY(scheduled_task_id) REFERENCES scheduled_task (id) ON DELETE SET NULL
);

CREATE INDEX ix_run_started_at ON run (started_at);

CREATE INDEX ix_run_status_started_at ON run (status, started_at);

CREATE UNIQUE INDEX ix_run_due ON run (scheduled_task_id, due_at) WHERE scheduled_task_id IS NOT NULL;

CREATE INDEX ix_run_target ON run (target, started_at);

CREATE TABLE host_lock (
    host_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    PRIMARY KEY (host_id),
    FOREIGN KEY(host_id) REFERENCES host (id) ON DELETE RESTRICT,
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);

CREATE INDEX ix_host_lock_run_id ON host_lock (run_id);

CREATE TABLE run_host (
    run_id INTEGER NOT NULL,
    host VARCHAR NOT NULL,
    ip VARCHAR NOT NULL,
    host_id INTEGER,
    status VARCHAR(11) NOT NULL,
    ok INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unreachable INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    failed_task VARCHAR,
    message VARCHAR,
    PRIMARY KEY (run_id, host),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX ix_run_host_host ON run_host (host, run_id);

CREATE TABLE run_output (
    run_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    host VARCHAR NOT NULL,
    chunk INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run_id, position, host, chunk),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);

CREATE TABLE run_snapshot (
    id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    host VARCHAR NOT NULL,
    vcenter VARCHAR,
    vm_uuid VARCHAR,
    action VARCHAR NOT NULL,
    name VARCHAR,
    ref VARCHAR,
    status VARCHAR(7) NOT NULL,
    error VARCHAR,
    at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);

CREATE INDEX ix_run_snapshot_host ON run_snapshot (run_id, host);

CREATE INDEX ix_run_snapshot_ref ON run_snapshot (vcenter, ref);

CREATE TABLE run_step (
    run_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    status VARCHAR(7) NOT NULL,
    started_at DATETIME NOT NULL,
    finished_at DATETIME,
    detail VARCHAR,
    facts JSON NOT NULL,
    PRIMARY KEY (run_id, position),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
) WITHOUT ROWID;
