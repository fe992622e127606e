"""The scripts that a shell loads: printed, or put where that shell looks for them."""

from collections.abc import Mapping
from pathlib import Path

import diaken_cli
from diaken_cli.errors import AccessError

SCRIPTS = {"bash": "diaken.bash", "zsh": "_diaken", "fish": "diaken.fish"}
SHELLS = tuple(SCRIPTS)
FOLDER = Path(diaken_cli.__file__).parent / "completion"


def script(shell: str) -> str:
    """The script for a shell."""
    return (FOLDER / SCRIPTS[shell]).read_text(encoding="utf-8")


def install(shell: str, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    """Write the script below this account's home; its path, and a hint what else is to be done.

    No file of the shell's own settings is changed. Raises AccessError.
    """
    path, hint = _place(shell, Path(environ.get("HOME") or Path.home()), environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script(shell), encoding="utf-8")
    except OSError as fault:
        raise AccessError(f"{path} can't be written: {fault.strerror}") from fault
    return path, hint


def _place(shell: str, home: Path, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    if shell == "bash":
        data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
        path = data / "bash-completion/completions/diaken"
        return path, f"Without the package bash-completion, add to ~/.bashrc: . {path}"
    if shell == "zsh":
        folder = Path(environ.get("ZDOTDIR") or home) / ".zfunc"
        hint = f"Add to .zshrc: fpath+=({folder}); autoload -Uz compinit; compinit"
        return folder / "_diaken", hint
    settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return settings / "fish/completions/diaken.fish", None
