"""The config file, the environment and the defaults, as one frozen and validated value."""

from diaken_cli.config.sections import Config, SshConfig
from diaken_cli.config.sources import load

__all__ = ["Config", "SshConfig", "load"]
