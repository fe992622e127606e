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

# ── programs: their output in bytes, and how long they may take in seconds ───────────────────

PROGRAM_OUTPUT = MB
PROGRAM_COMPLAINT = 64 * KB  # the end of its standard error
PROGRAM_SECONDS = 30  # of a helper such as ssh-keygen
PASSWORD = 4 * KB
PASSWORD_SECONDS = 30
CRONTAB_SECONDS = 10
KNOWN_HOSTS_LIST = 16 * MB  # a line for each key
ANSIBLE_VERSION_SECONDS = 60
SYNTAX_SECONDS = 120
INVENTORY_OUTPUT = 32 * MB  # Ansible's answer, with each host's variables of all its groups
INVENTORY_SECONDS = 120

# ── hosts ────────────────────────────────────────────────────────────────────────────────────

LOGIN_SECONDS = 20  # one try: a host that is booting may accept a connection and then say nothing
STOP_OUTPUT = 64 * KB
STOP_CONNECT_SECONDS = 3  # until a host has answered at all
STOP_LOGIN_SECONDS = 10  # until it has let us in
STOP_SECONDS = 20  # with the grace that its processes get
