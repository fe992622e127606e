"""The config file, the environment and the defaults, as one frozen and validated value."""

from diaken_cli.config.load import load
from diaken_cli.config.sections import Config, SshConfig

__all__ = ["Config", "SshConfig", "load"]
