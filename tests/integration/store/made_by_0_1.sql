-- A database as diaken 0.1.0 made it, by its own commands on a lab, while a deploy was running (schema 3).
BEGIN TRANSACTION;
CREATE TABLE environment (
    id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);
INSERT INTO "environment" VALUES(1,'PROD');
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
INSERT INTO "host" VALUES(1,'web01','10.77.0.101',1,1,1,'abfbb215-cc82-430c-8416-d42382f3eda6',1,NULL,NULL,NULL,NULL,'{"role": "front"}',NULL,'2026-11-30 23:43:29.855976',NULL);
INSERT INTO "host" VALUES(2,'web02','10.77.0.102',1,1,1,'ac11c67b-54ae-4824-baba-3221905a2c9e',1,NULL,NULL,NULL,NULL,'{}',NULL,'2026-11-30 23:43:31.018190',NULL);
INSERT INTO "host" VALUES(3,'old','10.9.9.9',1,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,'{}',NULL,'2026-11-30 23:43:32.293864',NULL);
INSERT INTO "host" VALUES(4,'db01','10.77.0.31',1,1,1,'4f2bb27d-bac6-4328-9695-525d9668179e',1,NULL,NULL,NULL,NULL,'{}',NULL,'2026-11-30 23:43:47.425840',NULL);
INSERT INTO "host" VALUES(5,'db02','10.77.0.32',1,NULL,1,'40be6666-e270-41fb-9bb2-77bf7d61f21a',0,'nobody',NULL,NULL,NULL,'{}',NULL,'2026-11-30 23:44:01.728119',4);
INSERT INTO "host" VALUES(6,'db03','10.77.0.33',1,NULL,1,'049361e8-1418-467d-8d46-376a56b12541',0,NULL,NULL,NULL,NULL,'{}',NULL,'2026-11-30 23:44:05.967149',5);
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
INSERT INTO "host_group" VALUES(1,1,'web','{"http_port": "80"}');
CREATE TABLE host_lock (
    host_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    PRIMARY KEY (host_id),
    FOREIGN KEY(host_id) REFERENCES host (id) ON DELETE RESTRICT,
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "host_lock" VALUES(6,5);
CREATE TABLE meta (
    "key" VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('database_id','8797b95d-7d8e-4b1c-ba45-616c700a9b26');
CREATE TABLE missed (
    scheduled_task_id INTEGER NOT NULL,
    due_at DATETIME NOT NULL,
    noticed_at DATETIME NOT NULL,
    reason VARCHAR NOT NULL,
    PRIMARY KEY (scheduled_task_id, due_at),
    FOREIGN KEY(scheduled_task_id) REFERENCES scheduled_task (id) ON DELETE CASCADE
);
CREATE TABLE notice (
    "key" VARCHAR NOT NULL,
    first_at DATETIME NOT NULL,
    told_at DATETIME NOT NULL,
    PRIMARY KEY ("key")
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
    target_type VARCHAR(11) NOT NULL,
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
INSERT INTO "run" VALUES(1,'8aea216f-0b30-4a25-9f96-4f22a3ae7f6b',NULL,'control',18775,'root','manual','playbook','group','web',1,'PROD','hello',NULL,NULL,'{"v": 1, "snapshot": true}','success',NULL,'2026-11-30 23:43:35.971653','2026-11-30 23:43:39.125507',2,2,0,0,0);
INSERT INTO "run" VALUES(2,'b453143a-db39-4fb0-af4c-bec3de2bf646',NULL,'control',19105,'root','manual','playbook','group','web',1,'PROD','hello',NULL,NULL,'{"v": 1, "extra_vars": ["fail_on=web02"]}','partial',NULL,'2026-11-30 23:43:40.309635','2026-11-30 23:43:42.428947',2,1,1,0,0);
INSERT INTO "run" VALUES(3,'cc9362d9-24ac-4011-9aca-dd959d90e740',NULL,'control',19225,'root','manual','deploy','vm','db01',NULL,'PROD',NULL,NULL,NULL,'{"v": 1, "name": "db01", "ip": "10.77.0.31", "prefix": 24, "environment": "PROD", "vcenter": "main", "template": "debian12", "gateway": "10.77.0.254", "dns": ["10.77.0.254"], "group": "web", "clone_timeout": 60, "ip_timeout": 30, "ssh_timeout": 20}','success',NULL,'2026-11-30 23:43:47.125476','2026-11-30 23:43:59.240865',1,1,0,0,0);
INSERT INTO "run" VALUES(4,'21d0196b-144f-48de-9251-8b08369d2fa9',NULL,'control',20005,'root','manual','deploy','vm','db02',NULL,'PROD',NULL,NULL,NULL,'{"v": 1, "name": "db02", "ip": "10.77.0.32", "prefix": 24, "environment": "PROD", "vcenter": "main", "template": "debian12", "gateway": "10.77.0.254", "dns": ["10.77.0.254"], "user": "nobody", "playbooks": ["hello"], "keep_on_failure": true, "clone_timeout": 60, "ip_timeout": 30, "ssh_timeout": 1}','failed','{"code": "no_ssh", "message": "provision: db02 (10.77.0.32) refuses the log-in by SSH: nobody@10.77.0.32: Permission denied (publickey,keyboard-interactive).", "hint": "Go on with it: diaken deploy resume 4; undo what is left: diaken deploy abort 4"}','2026-11-30 23:44:00.763604','2026-11-30 23:44:03.177192',0,0,0,0,0);
INSERT INTO "run" VALUES(5,'ead2dca4-5ceb-4058-8cc7-3741f548d913','12e35ca9-5404-4442-971b-26e6108403c6','control',20150,'root','manual','deploy','vm','db03',NULL,'PROD',NULL,NULL,NULL,'{"v": 1, "name": "db03", "ip": "10.77.0.33", "prefix": 24, "environment": "PROD", "vcenter": "main", "template": "debian12", "gateway": "10.77.0.254", "dns": ["10.77.0.254"], "playbooks": ["waits"], "clone_timeout": 60, "ip_timeout": 30, "ssh_timeout": 20}','running',NULL,'2026-11-30 23:44:04.415299',NULL,0,0,0,0,0);
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
INSERT INTO "run_host" VALUES(1,'web01','10.77.0.101',1,'success',1,1,0,0,1,NULL,NULL);
INSERT INTO "run_host" VALUES(1,'web02','10.77.0.102',2,'success',1,1,0,0,1,NULL,NULL);
INSERT INTO "run_host" VALUES(2,'web01','10.77.0.101',1,'success',1,1,0,0,1,NULL,NULL);
INSERT INTO "run_host" VALUES(2,'web02','10.77.0.102',2,'failed',1,1,1,0,0,'Fail where it is asked for','port 80 is taken');
INSERT INTO "run_host" VALUES(3,'db01','10.77.0.31',4,'success',15,3,0,0,5,NULL,NULL);
CREATE TABLE run_output (
    run_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    host VARCHAR NOT NULL,
    chunk INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run_id, position, host, chunk),
    FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE
);
INSERT INTO "run_output" VALUES(1,1,'web02',0,X'789C8B8E36D45100A2BCD29C1C1D05A5E48CC4BCF4D414251D8592A2D254A08CB9A59981859191A185B98919906B60668EAED64A21BA3C35C9C0285629564721DA4447C108AEA2383BB3A0006C5A5A624E318A7116A6406526684A33F3D2914C8B0500231A2B9D');
INSERT INTO "run_output" VALUES(1,1,'web01',0,X'789C5DCC3B0E80201000D1AB6CA8B780F5875E8550A0221A09312AF1FAA28551EB7919A508412084E83D02EB46139CED19C2BE469B4A55975C120959D5171494FD6D03EAB02D179A690495323D629BA765B96F83F1DB6727F312A1F8D129B8D74D9F211B2B99');
INSERT INTO "run_output" VALUES(2,0,'web01',0,X'789C5DCCCB0A80201085E157195CCF4247CAA657111756762191A8A4D72F5A440567777E3E6B15C2B594634410EDE8D3103A81B0AF395C8FE1525644A4B83208CCE69FD6608FD048E58443B01A819E629BA765B9B1DEC7EDAD912C194117DF744AC34B732706452B73');
INSERT INTO "run_output" VALUES(2,0,'web02',0,X'789C658DC10AC23010447F65DCF31ED260B51614041504FF20C9216A5A8BB14A9BE241FC7763A10571610EC3CCBC554A321246DD79CFA0D3C5D6A53B1323349D8BC97C3113998C27641AAD907FDD1CEAE98E421A320C3565C8B151D8CAF7B0C2FAF6879608C148A3E8716F023281AA45B0575753BF0BD68FDC1CBBF5FEB0DD4CB05CE1A587BF9AF281ABE9D6965FAFFF709ADE64CC076F2040ED');
INSERT INTO "run_output" VALUES(3,5,'db01',0,X'789C8B8E36D45130D651C82BCDC9D15150CACF56D251484BCC294ED5513034B73433B030323236303403AA30343631435267A5109D92646018AB141B0B0059F91199');
INSERT INTO "run_output" VALUES(3,5,'db01',1,X'789C85CE311242210C04D0ABEC50A780F0038957612874D446460BC7FB9BDF597CA4CEE6EDB6C6848DF0FC8C4108AF4720DCCFE37D23A46A252A738EC994C0F5277542BB5E62EAA1135A26C84260D96BCA4CF0016521A878426C9B11BEA0FE27525223649E125EA00B828B97549E097EB48590F76FB143A17F01379965D2');
INSERT INTO "run_output" VALUES(3,5,'db01',2,X'789C858E4B0AC3300C44AF22BCD642B21D5BCE558C172D494B884902A1F7AFB2290DE4B3946678F37216042684E9532B82994783F07AD4B5D7774C81C45A6743F07A3A767FBD1672F7242EA620E4A4315F431C7344F05ECE189B05DB5FBA8EC3B2F4DD214974ABA17D7598DE7B1C6FCA374E927430121D3A952F0C0B4A31');
INSERT INTO "run_output" VALUES(3,5,'db01',3,X'789C85CE3D0E80200C80D1AB34CC1D285814AF4218FC379168A2727FBB691C74EAD0AF2F0D810C0215086B4E09417573B34E43AF10CE3D0FB22ABDD39531B69081506A7AA73584BED51455440864E584FF3526968AADFBD6E42FBA936D11686CD2F1941C398DE03D3FB21B891797913BD1');
INSERT INTO "run_output" VALUES(3,5,'db01',4,X'789C8D8ECB0A802014447FE5E2FA2EBC8AAF7E455C145A485241F4FFD92612225A0DCC1C0EE33D29043208CB510A025B678630F6654F57ED34B742486D342128470FAC031F074E8105044FBAD2F65EF7396F5B8A6F26AB2A6A658BE6656A75F50FB93FBA9A084E7CE8C209C1C53DA6');
INSERT INTO "run_output" VALUES(3,5,'db01',5,X'789C8DCEBB0A84301085E15719524F9119258EFB2A2145D63B8620ABBEFF1A1B8985581EF8F938D69220B046887B0808AA197D1CBA56216CBFBD43A0AA365A980B31226932DDDB0FD8F6ABC9298760A93EB82B59E769594EAEF761CDBC8ACD914A9E4E71C8B8F48CF90D27892BF503E7FEFAA74158');
INSERT INTO "run_output" VALUES(5,5,'db03',0,X'789C85CF3B0E02201004D0AB6CA8B758F607781542A1511B8916C6FBBB761622E524939799DE338220DC5F7322A4C72D215C8FF37941C8A53955666D5C29A2B07DF50ED0CF27929106426704DD18A26198AE8498601B41A946C95742D0FE5730CA9F1FC56545C482B2215C5B7CB5DFC47803BE155565');
INSERT INTO "run_output" VALUES(5,5,'db03',1,X'789C85CE4B0EC2300C04D0AB58597B6127264EB94A9405A805558D4AA58AFBE3B2E02391B29ED19BC939222484F95E2B82BB4D0EE172AAEB80C0DA454ADE1F48232174E1A37584DC9F29145710B25AF8474851ACA42DC10E30ED139C9E2712B70CBBC0BC6FF8B0AD8848CBD862F6AF749DC66519FA9F92DA9EE877759CAF6FAE3C007FF85A76');
INSERT INTO "run_output" VALUES(5,5,'db03',2,X'789C85CD390E84300C85E1AB58A95DE06C265C254AC18E34112331C3FD71C55AD0FAFDFA1C231102198479CD19417D3F0A61A8F3AF9733075F945A3B43CE23B0A7535641EC9AC22495102269A9EDBEB6533D8F7D27D27F592F50B0F28AB9BCA7574D1A72EF9AF54120368FF4D0D206EB633BEB');
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
INSERT INTO "run_snapshot" VALUES(1,1,'web01','main','abfbb215-cc82-430c-8416-d42382f3eda6','create','Before executing hello - 2026-11-30 23:43:36','snapshot-67','success',NULL,'2026-11-30 23:43:36.424810');
INSERT INTO "run_snapshot" VALUES(2,1,'web02','main','ac11c67b-54ae-4824-baba-3221905a2c9e','create','Before executing hello - 2026-11-30 23:43:36','snapshot-70','success',NULL,'2026-11-30 23:43:36.427696');
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
INSERT INTO "run_step" VALUES(1,0,'snapshot','success','2026-11-30 23:43:36.018925','2026-11-30 23:43:36.455710','take the snapshot “Before executing hello - …” of web01, web02','{"v": 1, "name": "Before executing hello - 2026-11-30 23:43:36", "made": 2}');
INSERT INTO "run_step" VALUES(1,1,'playbook','success','2026-11-30 23:43:36.466054','2026-11-30 23:43:39.109878','run hello on web01, web02','{"v": 1, "return_code": 0}');
INSERT INTO "run_step" VALUES(2,0,'playbook','failed','2026-11-30 23:43:40.328688','2026-11-30 23:43:42.421073','1 of 2 hosts did not succeed','{"v": 1, "return_code": 2}');
INSERT INTO "run_step" VALUES(3,0,'validate','success','2026-11-30 23:43:47.152686','2026-11-30 23:43:47.406375','check db01, 10.77.0.31 and vCenter main','{"v": 1, "placement": {"datacenter": "DC0", "template": "vm-54", "template_path": "/DC0/vm/debian12", "folder": "folder-3", "folder_path": "/DC0/vm", "cluster": "clustercomputeresource-18", "cluster_name": "DC0_C0", "pool": "resgroup-17", "pool_path": "/DC0/host/DC0_C0/Resources", "esxi_host": "host-41", "esxi_host_name": "DC0_C0_H2", "datastore": "/etc/diaken/disksdatastore", "datastore_name": "LocalDS_0", "datastore_free": 1574105513984, "network": null, "network_name": null, "network_kind": null, "cpus": 1, "memory": 1073741824, "template_disk": 10737418240, "disk": 10737418240, "disks": 10737418240, "template_network": "VM Network"}, "vcenter_time": "2026-11-30T23:43:47.191248+00:00"}');
INSERT INTO "run_step" VALUES(3,1,'register','success','2026-11-30 23:43:47.410846','2026-11-30 23:43:47.461538','add host db01 (10.77.0.31) to PROD, group web','{"v": 1, "host_id": 4}');
INSERT INTO "run_step" VALUES(3,2,'clone','success','2026-11-30 23:43:47.462984','2026-11-30 23:43:47.511535','clone debian12 as db01','{"v": 1, "task": "task-71", "vm": "vm-74", "vm_uuid": "4f2bb27d-bac6-4328-9695-525d9668179e", "name": "db01", "vcenter": "main", "disks": [2000], "lost": false}');
INSERT INTO "run_step" VALUES(3,3,'power_on','success','2026-11-30 23:43:47.513067','2026-11-30 23:43:47.630731','power on db01','{"v": 1, "task": "task-76", "power_state": "on"}');
INSERT INTO "run_step" VALUES(3,4,'wait_address','success','2026-11-30 23:43:47.637791','2026-11-30 23:43:47.905581','wait until the VM reports 10.77.0.31','{"v": 1, "addresses": ["10.77.0.31"]}');
INSERT INTO "run_step" VALUES(3,5,'provision','success','2026-11-30 23:43:47.907208','2026-11-30 23:43:59.198574','run provision_vm','{"v": 1, "playbooks": ["provision_vm"]}');
INSERT INTO "run_step" VALUES(3,6,'activate','success','2026-11-30 23:43:59.204679','2026-11-30 23:43:59.280395','put db01 into use','{"v": 1, "unmarked": true}');
INSERT INTO "run_step" VALUES(4,0,'validate','success','2026-11-30 23:44:00.776625','2026-11-30 23:44:01.704883','check db02, 10.77.0.32 and vCenter main','{"v": 1, "placement": {"datacenter": "DC0", "template": "vm-54", "template_path": "/DC0/vm/debian12", "folder": "folder-3", "folder_path": "/DC0/vm", "cluster": "clustercomputeresource-18", "cluster_name": "DC0_C0", "pool": "resgroup-17", "pool_path": "/DC0/host/DC0_C0/Resources", "esxi_host": "host-41", "esxi_host_name": "DC0_C0_H2", "datastore": "/etc/diaken/disksdatastore", "datastore_name": "LocalDS_0", "datastore_free": 1563368095744, "network": null, "network_name": null, "network_kind": null, "cpus": 1, "memory": 1073741824, "template_disk": 10737418240, "disk": 10737418240, "disks": 10737418240, "template_network": "VM Network"}, "vcenter_time": "2026-11-30T23:44:00.816078+00:00"}');
INSERT INTO "run_step" VALUES(4,1,'register','success','2026-11-30 23:44:01.707221','2026-11-30 23:44:01.755657','add host db02 (10.77.0.32) to PROD','{"v": 1, "host_id": 5}');
INSERT INTO "run_step" VALUES(4,2,'clone','success','2026-11-30 23:44:01.761440','2026-11-30 23:44:01.816343','clone debian12 as db02','{"v": 1, "task": "task-80", "vm": "vm-83", "vm_uuid": "40be6666-e270-41fb-9bb2-77bf7d61f21a", "name": "db02", "vcenter": "main", "disks": [2000], "lost": false}');
INSERT INTO "run_step" VALUES(4,3,'power_on','success','2026-11-30 23:44:01.820255','2026-11-30 23:44:01.870614','power on db02','{"v": 1, "task": "task-85", "power_state": "on"}');
INSERT INTO "run_step" VALUES(4,4,'wait_address','success','2026-11-30 23:44:01.880491','2026-11-30 23:44:02.142919','wait until the VM reports 10.77.0.32','{"v": 1, "addresses": ["10.77.0.32"]}');
INSERT INTO "run_step" VALUES(4,5,'provision','failed','2026-11-30 23:44:02.145072','2026-11-30 23:44:03.157950','db02 (10.77.0.32) refuses the log-in by SSH: nobody@10.77.0.32: Permission denied (publickey,keyboard-interactive).','{"v": 1}');
INSERT INTO "run_step" VALUES(5,0,'validate','success','2026-11-30 23:44:04.432680','2026-11-30 23:44:05.946150','check db03, 10.77.0.33 and vCenter main','{"v": 1, "placement": {"datacenter": "DC0", "template": "vm-54", "template_path": "/DC0/vm/debian12", "folder": "folder-3", "folder_path": "/DC0/vm", "cluster": "clustercomputeresource-18", "cluster_name": "DC0_C0", "pool": "resgroup-17", "pool_path": "/DC0/host/DC0_C0/Resources", "esxi_host": "host-41", "esxi_host_name": "DC0_C0_H2", "datastore": "/etc/diaken/disksdatastore", "datastore_name": "LocalDS_0", "datastore_free": 1552630677504, "network": null, "network_name": null, "network_kind": null, "cpus": 1, "memory": 1073741824, "template_disk": 10737418240, "disk": 10737418240, "disks": 10737418240, "template_network": "VM Network"}, "vcenter_time": "2026-11-30T23:44:04.466784+00:00"}');
INSERT INTO "run_step" VALUES(5,1,'register','success','2026-11-30 23:44:05.952604','2026-11-30 23:44:06.011676','add host db03 (10.77.0.33) to PROD','{"v": 1, "host_id": 6}');
INSERT INTO "run_step" VALUES(5,2,'clone','success','2026-11-30 23:44:06.021855','2026-11-30 23:44:06.130123','clone debian12 as db03','{"v": 1, "task": "task-87", "vm": "vm-90", "vm_uuid": "049361e8-1418-467d-8d46-376a56b12541", "name": "db03", "vcenter": "main", "disks": [2000], "lost": false}');
INSERT INTO "run_step" VALUES(5,3,'power_on','success','2026-11-30 23:44:06.144075','2026-11-30 23:44:06.235533','power on db03','{"v": 1, "task": "task-92", "power_state": "on"}');
INSERT INTO "run_step" VALUES(5,4,'wait_address','success','2026-11-30 23:44:06.237491','2026-11-30 23:44:06.551346','wait until the VM reports 10.77.0.33','{"v": 1, "addresses": ["10.77.0.33"]}');
INSERT INTO "run_step" VALUES(5,5,'provision','running','2026-11-30 23:44:06.553476',NULL,'run provision_vm, waits','{"v": 1}');
CREATE TABLE scheduled_task (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name VARCHAR NOT NULL,
    target_type VARCHAR(11) NOT NULL,
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
INSERT INTO "scheduled_task" VALUES(1,'Patch web','group',NULL,1,'web','PROD','hello','{"v": 1, "snapshot": true}','2030-01-06 03:00:00','Europe/Madrid',0,'FREQ=WEEKLY',3600,'2030-01-06 02:00:00.000000','pending',NULL,NULL);
INSERT INTO "scheduled_task" VALUES(2,'Once','host',1,NULL,'web01','PROD','hello','{"v": 1}','2030-01-07 04:00:00','UTC',0,NULL,3600,'2030-01-07 04:00:00.000000','pending',NULL,NULL);
CREATE TABLE setting (
    "key" VARCHAR NOT NULL,
    value JSON NOT NULL,
    PRIMARY KEY ("key")
);
INSERT INTO "setting" VALUES('snapshot_retention_hours',48);
CREATE TABLE task_name (
    id INTEGER NOT NULL,
    playbook VARCHAR NOT NULL,
    play VARCHAR NOT NULL,
    task VARCHAR NOT NULL,
    action VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (playbook, play, task, action)
);
INSERT INTO "task_name" VALUES(1,'hello','Say hello','Look','ansible.builtin.command');
INSERT INTO "task_name" VALUES(2,'hello','Say hello','Fail where it is asked for','ansible.builtin.fail');
INSERT INTO "task_name" VALUES(3,'provision_vm','Provision','Gathering Facts','ansible.builtin.gather_facts');
INSERT INTO "task_name" VALUES(4,'provision_vm','Provision','Know this family of systems','ansible.builtin.assert');
INSERT INTO "task_name" VALUES(5,'provision_vm','Provision','Take lists as lists only','ansible.builtin.assert');
INSERT INTO "task_name" VALUES(6,'provision_vm','Provision','Look at the addresses','ansible.builtin.command');
INSERT INTO "task_name" VALUES(7,'provision_vm','Provision','Look at the default gateways','ansible.builtin.command');
INSERT INTO "task_name" VALUES(8,'provision_vm','Provision','Verify the address','ansible.builtin.assert');
INSERT INTO "task_name" VALUES(9,'provision_vm','Provision','Verify the default gateway','ansible.builtin.assert');
INSERT INTO "task_name" VALUES(10,'provision_vm','Provision','Set the host name','ansible.builtin.hostname');
INSERT INTO "task_name" VALUES(11,'provision_vm','Provision','Ask the kernel for its name','ansible.builtin.command');
INSERT INTO "task_name" VALUES(12,'provision_vm','Provision','Tell the kernel the host name','ansible.builtin.command');
INSERT INTO "task_name" VALUES(13,'provision_vm','Provision','Read /etc/hosts','ansible.builtin.slurp');
INSERT INTO "task_name" VALUES(14,'provision_vm','Provision','Take the line for a host without an address out of /etc/hosts','ansible.builtin.lineinfile');
INSERT INTO "task_name" VALUES(15,'provision_vm','Provision','Put the host itself into /etc/hosts','ansible.builtin.lineinfile');
INSERT INTO "task_name" VALUES(16,'provision_vm','Provision','Look at /etc/resolv.conf','ansible.builtin.stat');
INSERT INTO "task_name" VALUES(17,'provision_vm','Provision','Read /etc/resolv.conf','ansible.builtin.command');
INSERT INTO "task_name" VALUES(18,'provision_vm','Provision','Say who has the name servers','ansible.builtin.debug');
INSERT INTO "task_name" VALUES(19,'provision_vm','Provision','Write the name servers into /etc/resolv.conf','ansible.builtin.copy');
INSERT INTO "task_name" VALUES(20,'provision_vm','Provision','Update all packages (Debian)','ansible.builtin.apt');
INSERT INTO "task_name" VALUES(21,'provision_vm','Provision','Update all packages (Red Hat)','ansible.builtin.dnf');
INSERT INTO "task_name" VALUES(22,'provision_vm','Provision','Install the packages of every server','ansible.builtin.package');
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
INSERT INTO "vcenter" VALUES(1,'main','127.0.0.1:8989','administrator@vsphere.local','file','/etc/diaken/password','/etc/diaken/ca.pem',0,NULL);
CREATE INDEX ix_scheduled_task_due ON scheduled_task (status, due_at);
CREATE UNIQUE INDEX ix_scheduled_task_name ON scheduled_task (name) WHERE status IN ('pending', 'running');
CREATE INDEX ix_run_started_at ON run (started_at);
CREATE INDEX ix_run_status_started_at ON run (status, started_at);
CREATE UNIQUE INDEX ix_run_due ON run (scheduled_task_id, due_at) WHERE scheduled_task_id IS NOT NULL;
CREATE INDEX ix_run_target ON run (target, started_at);
CREATE INDEX ix_host_lock_run_id ON host_lock (run_id);
CREATE INDEX ix_run_host_host ON run_host (host, run_id);
CREATE INDEX ix_run_snapshot_host ON run_snapshot (run_id, host);
CREATE INDEX ix_run_snapshot_ref ON run_snapshot (vcenter, ref);
CREATE UNIQUE INDEX ix_host_vm_uuid ON host (vm_uuid);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',5);
INSERT INTO "sqlite_sequence" VALUES('scheduled_task',2);
COMMIT;
PRAGMA user_version=3;
