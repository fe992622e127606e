"""The environment variables that are no key of the config file, for the reference and man pages."""

VARIABLES = {
    "DIAKEN_CONFIG": "The config file, where `--config` names none. It has to exist.",
    "DIAKEN_DATABASE": "The database: short for `DIAKEN_DATABASE_PATH`, and goes before it.",
    "DIAKEN_SECTION_KEY": (
        "A key of the config file, and goes before it: `DIAKEN_SSH_PORT` is `port` of `[ssh]`."
        " See `diaken config show`."
    ),
    "XDG_CONFIG_HOME": "Where `diaken/config.toml` is looked for; `~/.config` where it is not set.",
    "XDG_DATA_HOME": (
        "Where `diaken/diaken.db` is; `~/.local/share` where it is not set, and for root"
        " `/var/lib/diaken/diaken.db`."
    ),
    "SUDO_USER": "Who a run is said to be of, where it is set.",
    "NO_COLOR, TERM=dumb": "No colour and no animation, as `--no-color`.",
}
