-- What Ansible calls the variables of `all`: of every host of an environment, of localhost, and of
-- hosts that a playbook adds. Until now an environment had none.

ALTER TABLE environment ADD COLUMN vars JSON DEFAULT '{}' NOT NULL;
