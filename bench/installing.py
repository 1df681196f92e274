"""What the peers run on, installed from pins into bench/peers/, which is never committed."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.roster import HERE, PEERS, PYTHON, Contender

NODE = PEERS / "node"
REQUIREMENTS = HERE / "peers-requirements.txt"


def ensure(contenders: Iterable[Contender]) -> None:
    """Install what these contenders need and is not there yet, or is of other pins."""
    commands = [contender.command for contender in contenders]
    if any(command[0] == PYTHON for command in commands):
        _once(PEERS / "python", [REQUIREMENTS], _python)
    if any(command[-1].endswith(".mjs") for command in commands):
        _once(NODE, [HERE / "package.json", HERE / "package-lock.json"], _node)
        _copy_scripts()


def _once(folder: Path, pins: Sequence[Path], install: object) -> None:
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in pins)).hexdigest()
    note = folder / ".installed"
    if note.exists() and note.read_text() == wanted:
        return
    print(f"peers: installing {folder.name} from {', '.join(path.name for path in pins)}", flush=True)
    assert callable(install)
    install()
    note.write_text(wanted)


def _python() -> None:
    """A virtual environment of the interpreter that ours runs on."""
    subprocess.run((sys.executable, "-m", "venv", "--clear", str(PEERS / "python")), check=True)
    pip = (PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    subprocess.run((*pip, "--require-hashes", "-r", str(REQUIREMENTS)), check=True)


def _node() -> None:
    """npm's packages, among them the Node that PostGraphile 5 needs; no install scripts are run."""
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, NODE / name)
    command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    subprocess.run(command, check=True, cwd=NODE, env={**os.environ, "NODE_ENV": ""})


def _copy_scripts() -> None:
    """Node looks for packages beside the script, so the scripts go to them."""
    for name in ("mercurius.mjs", "postgraphile.mjs"):
        shutil.copy(HERE / "contenders" / name, NODE / name)
