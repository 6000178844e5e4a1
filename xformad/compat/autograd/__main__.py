"""Run a program with `import autograd` meaning `xformad.compat.autograd`.

python -m xformad.compat.autograd script.py args...
python -m xformad.compat.autograd -m package args...
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from xformad.compat.autograd.drop_in import install

USAGE = "usage: python -m xformad.compat.autograd script.py args... | -m package args..."


def main(arguments: list[str]) -> None:
    """Run the program that the arguments name, with the rest of them as its own."""
    as_module = arguments[:1] == ["-m"]
    program = arguments[as_module:]
    if not program:
        raise SystemExit(USAGE)
    install()
    sys.argv = program
    if as_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(program[0]).resolve().parent)
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
