"""`run host` and `run group`: one way through, a host is a group of one."""
