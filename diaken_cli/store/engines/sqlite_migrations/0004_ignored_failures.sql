-- Ansible also counts the failures that a playbook ignores; of older runs they are not known: none.

ALTER TABLE run_host ADD COLUMN ignored INTEGER DEFAULT 0 NOT NULL;
