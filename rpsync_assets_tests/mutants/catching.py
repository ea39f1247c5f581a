"""A copy of the package with one fault in it, and the test that looks at the copy.

Belongs here: making the copy and asking. Does not: the faults.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rpsync_assets_tests.mutants.faults import Fault

ROOT = Path(__file__).parents[2]
STORIES, DAYS = 40, 12
"""So many stories look for a fault, one after the other, until one fails."""

_PLAY = f"""
import logging, sys
logging.disable(logging.CRITICAL)
from rpsync_assets_tests.simulation.run import one_story
for seed in range({STORIES}):
    failed = one_story(seed, {DAYS}).failed
    if failed:
        print(f"story {{seed}}: {{failed[0][1]}}")
        sys.exit(1)
"""


@dataclass(frozen=True)
class Caught:
    """What came of it; ``by`` is empty for a fault that survived."""

    fault: Fault
    by: str
    seconds: float


def broken(fault: Fault, source: str) -> str:
    """The source with the fault in it.

    Raises:
        LookupError: what is to be changed does not stand there exactly once: the product has moved on.
    """
    if source.count(fault.sound) != 1:
        raise LookupError(f"'{fault.name}': its text stands {source.count(fault.sound)} times in {fault.file}")
    return source.replace(fault.sound, fault.broken)


def catch(fault: Fault | None) -> Caught:
    """Look for a fault; None looks at the sound package, where nothing may be found."""
    began = time.perf_counter()
    with TemporaryDirectory(prefix="rpsync-mutant-") as folder:
        place = Path(folder)
        for package in ("rpsync_assets", "rpsync_assets_tests"):
            shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", place)
        if fault is not None:
            path = place / "rpsync_assets" / fault.file
            path.write_text(broken(fault, path.read_text("utf-8")), "utf-8")
        test = fault.test if fault is not None else ""
        command = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", test] if test else ["-c", _PLAY]
        environment = {**os.environ, "PYTHONPATH": folder, "POLARS_MAX_THREADS": "1"}
        asked = subprocess.run(
            [sys.executable, *command], cwd=place, env=environment, capture_output=True, text=True, check=False
        )
    by = ""
    if asked.returncode == 1:
        said = asked.stdout.strip().splitlines()
        by = next((line for line in said if line.startswith("FAILED")), said[-1] if said else "")
    elif asked.returncode:
        raise RuntimeError(f"The copy with {fault and fault.name!r} cannot be looked at:\n{asked.stdout}{asked.stderr}")
    return Caught(fault, by, time.perf_counter() - began)  # type: ignore[arg-type]
