"""Record what the programs print on Autograd: `python -m tests.compat.record`, where Autograd is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"


def main() -> None:
    for program in sorted(PROGRAMS.glob("*.txt")):
        run = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True)
        program.with_suffix(".out").write_text(run.stdout, "utf-8")
        print(program.stem, len(run.stdout.splitlines()))


if __name__ == "__main__":
    main()
