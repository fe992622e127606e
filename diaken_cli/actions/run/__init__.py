"""`run host`, `run group`, `run environment`: one way through, a host is a group of one."""
