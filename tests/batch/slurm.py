"""SLURM on this one machine, from Debian's packages, under a folder and ports of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PACKAGES = "slurmctld slurmd slurm-client munge"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
MOST_TRIES = 60

CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={controller_port}
SlurmdPort={node_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1024
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Why SLURM cannot be set up here; None where it can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        return f"no SLURM ({', '.join(missing)}): apt-get install {PACKAGES}"
    if os.geteuid() != 0:
        return "SLURM is set up by root alone"
    return None


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str]]:
    """SLURM as long as the block lasts; gives the environment in which its commands find it."""
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o755)
    key = folder / "munge" / "key"
    key.touch(mode=0o400)
    key.write_bytes(secrets.token_bytes(1024))
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            folder=folder,
            controller_port=_free_port(),
            node_port=_free_port(),
            cpus=os.cpu_count(),
        )
    )
    environment = {**os.environ, "SLURM_CONF": str(configuration), "PATH": _path()}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}"]
    for option in ("socket", "pid-file", "log-file", "seed-file"):
        munged.append(f"--{option}={folder / 'munge' / option.removesuffix('-file')}")
    with ExitStack() as stack:
        for command in (munged, ["slurmctld", "-D"], ["slurmd", "-D"]):
            log = stack.enter_context((folder / f"{command[0]}.out").open("w"))
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            if command is munged:
                _until(["munge", "-n", f"--socket={folder / 'munge' / 'socket'}"], environment)
        stack.callback(subprocess.run, ["scancel", "--user=root"], env=environment, check=False)
        _until(["srun", "--immediate=1", "true"], environment)
        yield environment


def _until(command: list[str], environment: dict[str, str]) -> None:
    """Try until it works; each try of a daemon that does not answer waits by itself."""
    for _ in range(MOST_TRIES):
        tried = subprocess.run(command, env=environment, capture_output=True, check=False)
        if tried.returncode == 0:
            return
        subprocess.run(["sleep", "0.5"], check=True)
    raise RuntimeError(f"{command[0]}: {tried.stderr.decode()}")


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"))


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port
