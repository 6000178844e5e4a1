"""Loading of what is no package: the programs in `examples`, and the code of a page of the documentation."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.test_docs import blocks_of, run_plain

ROOT = Path(__file__).parent.parent


@cache
def load(name: str) -> ModuleType:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(f"xformad_example_{name}", ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def code_of(page: str) -> dict[str, Any]:
    """The names that the code of a page defines, its sessions left out."""
    path = ROOT / "docs" / page
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks_of(path):
        if block.language == "python" and not block.text.lstrip().startswith(">>>"):
            run_plain(block, path, namespace)
    return namespace
