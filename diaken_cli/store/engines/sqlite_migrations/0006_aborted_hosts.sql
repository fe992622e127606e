-- Hosts on which Ansible ended a play because of others; of older runs they are not known: none.

ALTER TABLE run ADD COLUMN aborted_hosts INTEGER DEFAULT 0 NOT NULL;
