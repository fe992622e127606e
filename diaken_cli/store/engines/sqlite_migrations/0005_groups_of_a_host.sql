-- A host is in several groups of its environment: the database refuses those of another one. The
-- table of hosts is made anew, for SQLite drops no column of a foreign key; the other tables go on
-- to refer to it by its name. How: https://www.sqlite.org/lang_altertable.html#otheralter

CREATE TABLE host_made_anew (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    ip VARCHAR NOT NULL,
    environment_id INTEGER NOT NULL,
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
    UNIQUE (id, environment_id),
    UNIQUE (name),
    UNIQUE (ip),
    FOREIGN KEY(environment_id) REFERENCES environment (id) ON DELETE RESTRICT,
    FOREIGN KEY(vcenter_id) REFERENCES vcenter (id) ON DELETE RESTRICT,
    FOREIGN KEY(deployed_by) REFERENCES run (id) ON DELETE SET NULL
);
INSERT INTO host_made_anew SELECT id, name, ip, environment_id, vcenter_id, vm_uuid, active,
    ssh_user, port, "key", python, vars, description, created_at, deployed_by FROM host;
CREATE TABLE host_group_member (
    host_id INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    environment_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (host_id, group_id),
    UNIQUE (host_id, position),
    FOREIGN KEY(host_id, environment_id) REFERENCES host (id, environment_id) ON DELETE CASCADE,
    FOREIGN KEY(group_id, environment_id) REFERENCES host_group (id, environment_id) ON DELETE RESTRICT
) WITHOUT ROWID;
INSERT INTO host_group_member
    SELECT id, group_id, environment_id, 0 FROM host WHERE group_id IS NOT NULL;
CREATE INDEX ix_host_group_member_group ON host_group_member (group_id, environment_id);
DROP TABLE host;
ALTER TABLE host_made_anew RENAME TO host;
CREATE UNIQUE INDEX ix_host_vm_uuid ON host (vm_uuid);
