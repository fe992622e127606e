"""Ansible and SSH: run a playbook and say what it did, find playbooks, reach hosts.

| module | what it knows |
|---|---|
| `work` | the values that go in and come out |
| `launch` | run a playbook by ansible-runner, stop it, judge the hosts |
| `invocation` | how Ansible's programs are called: environment, arguments, files |
| `inventory` | the inventory of a run; which hosts a pattern of `--limit` matches |
| `extra_variables` | `-e` |
| `repository`, `setting_table` | the ansible.cfg of a repository, and what of it counts |
| `callbacks/` | plugins in Ansible's process: what happens, into a pipe |
| `channel` | the pipe's other end, read while Ansible runs |
| `translate`, `printed` | an event as those of diaken; what a task prints on purpose |
| `reasons` | why a task failed, or Ansible itself |
| `results`, `endings` | what each host came to |
| `plugins/vars` | a plugin in Ansible's process: no file points a host to another machine |
| `private` | the run's private folder |
| `tracking` | what a run has started: its processes here, its calls of ssh(1) |
| `ssh` | how ssh(1) is called; private keys, host keys |
| `remote` | what diaken does on a host itself: wait for SSH, probe, end what a run started |
| `catalog` | the playbooks there are |
| `syntax` | Ansible's check of a playbook; its version |
| `imported_inventory` | an existing inventory of Ansible's, read by Ansible |
| `bounded_yaml` | YAML from outside, within bounds |
"""
