"""How much is taken in, and for how long: of each file, program, host and vCenter, in one place.

Bytes and seconds. Who reads something from outside takes its bound from here; what is over it is
refused with a clear error, or, where it only accompanies something, cut with a warning.
"""

KB = 1024
MB = 1024 * KB

# ── files: all in bytes ──────────────────────────────────────────────────────────────────────

CONFIG_FILE = 512 * KB
CONFIG_DOTS = 50  # in one line: the time that a.b.c.… takes grows with their square
PLAYBOOK = 8 * MB
PLAYBOOK_HEAD = 64 * KB  # by which it is told that it is one, and described
ANSIBLE_CFG = MB
VARIABLES_FILE = 16 * MB
INVENTORY = 16 * MB  # all of its files together
INVENTORY_FILES = 20_000
CSV_FILE = 16 * MB
CSV_LINE = MB
CSV_COLUMNS = 1000
KEY_FILE = MB
HOSTS_FILE = 16 * MB
CRON_FILE = MB
OWN_NOTE = MB  # what diaken itself has written beside its database
INPUT_SECONDS = 60  # that who writes into diaken's standard input may pause
READER_SECONDS = 10  # that who reads a pipe may pause into which diaken writes

# ── what files hold ──────────────────────────────────────────────────────────────────────────

IMPORTED_HOSTS = 20_000
YAML_VALUES = 400_000  # of one document, as if its aliases were written out
INVENTORY_VALUES = 2_000_000  # the same of a file of an inventory, of which diaken keeps nothing
YAML_LEVELS = 100

# ── programs: their output in bytes, and how long they may take in seconds ───────────────────

PROGRAM_OUTPUT = MB
PROGRAM_STDERR = 64 * KB  # the end of its standard error
PROGRAM_SECONDS = 30  # of a helper such as ssh-keygen
PASSWORD = 4 * KB
PASSWORD_SECONDS = 30
CRONTAB_SECONDS = 10
KNOWN_HOSTS_LIST = 16 * MB  # a line for each key
ANSIBLE_VERSION_SECONDS = 60
SYNTAX_SECONDS = 120
INVENTORY_OUTPUT = 32 * MB  # Ansible's answer, with each host's variables of all its groups
INVENTORY_SECONDS = 120
INVENTORY_MEMORY = 640 * MB  # of Ansible, which takes 25 KB for a host of YAML

# ── hosts ────────────────────────────────────────────────────────────────────────────────────

LOGIN_SECONDS = 20  # one try: a host that is booting may accept a connection and then say nothing
STOP_OUTPUT = 64 * KB
STOP_CONNECT_SECONDS = 3  # until a host has answered at all
STOP_LOGIN_SECONDS = 10  # until it has let us in
STOP_SECONDS = 20  # with the grace that its processes get

# ── vCenters ─────────────────────────────────────────────────────────────────────────────────

VCENTER_CONNECT = 10.0  # for the name, TCP and TLS together
VCENTER_VERSIONS_SECONDS = 10.0  # for the list of its versions, without which there is another way
VCENTER_SILENCE = 60.0  # without a byte, in a call
VCENTER_CALL = 120.0  # a call with all of its tries, however busy it is
VCENTER_QUERY = 600.0  # all pages of what is asked for, or all tags
VCENTER_TIDYING = 3.0  # cleaning up must not hold up a person who pressed Ctrl-C

VCENTER_HEADERS = 256 * KB  # of one HTTP answer
VCENTER_VERSIONS = 256 * KB  # the list of its versions
VCENTER_ANSWER = 32 * MB  # one answer of the SOAP API, decompressed
VCENTER_ELEMENTS = 1_000_000  # of one answer; pyVmomi reads 100,000 a second
VCENTER_MEMORY = 128 * MB  # what one answer may become here, roughly
VCENTER_QUERY_MEMORY = 144 * MB  # the values of all pages of a query: 40,000 VMs with two cards
VCENTER_PASSING_MEMORY = 288 * MB  # the same where each page is dropped once it was looked at
VCENTER_SNAPSHOTS = 35_000  # in all: listed, they take 300 MB; 10,000 VMs with three have fewer
VCENTER_DEPTH = 256  # elements within each other; 32 snapshots are the most that vSphere chains
VCENTER_TAG = MB  # one element's name and attributes
VCENTER_TEXT = 4 * MB  # characters of one text
VCENTER_NAME = 1000  # characters of a name that are kept; vSphere allows 80
VCENTER_PAGES = 2000  # of one query

REST_ANSWER = 8 * MB  # 190,000 VMs with a tag
REST_CONTAINERS = 250_000  # objects and lists of one answer
REST_CALLS = 10_000  # of one session: one for each tag and category

# ── Ansible ──────────────────────────────────────────────────────────────────────────────────

EVENT = 8 * MB  # what its callback tells at once; a result it cuts to an eighth of that
LAST_WORDS = 64 * KB  # what it printed where it could not go on
