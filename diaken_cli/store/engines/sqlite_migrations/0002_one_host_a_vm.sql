-- A VM belongs to one host. Where several claimed it nobody knows whose it is: it is looked for anew.

UPDATE host SET vm_uuid = NULL WHERE vm_uuid IN (
    SELECT vm_uuid FROM host WHERE vm_uuid IS NOT NULL GROUP BY vm_uuid HAVING count(*) > 1
);
CREATE UNIQUE INDEX ix_host_vm_uuid ON host (vm_uuid);
