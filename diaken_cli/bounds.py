"""How much is taken in, and for how long: of each file, program, host and vCenter, in one place.

Bytes and seconds. Who reads something from outside takes its bound from here; what is over it is
refused with a clear error, or, where it only accompanies something, cut with a warning.
"""

KB = 1024
MB = 1024 * KB

# ── files: all in bytes ──────────────────────────────────────────────────────────────────────

CONFIG_FILE = MB
PLAYBOOK = 8 * MB
VARIABLES_FILE = 64 * MB
INVENTORY = 64 * MB  # all of its files together
CSV_FILE = 64 * MB
KEY_FILE = MB
HOSTS_FILE = 64 * MB
OWN_NOTE = MB  # what diaken itself has written beside its database
