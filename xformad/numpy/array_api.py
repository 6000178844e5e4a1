"""What the Array API standard asks of arrays beside NumPy's own methods: `__array_namespace__`, devices, DLPack.

A program of the standard asks its arrays for their namespace. That of traced arrays is `xformad.numpy`:

    def normalized(x):
        xp = x.__array_namespace__()
        return x / xp.linalg.vector_norm(x)
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

from xformad.core.primitive import Tracer
from xformad.core.typing import Value
from xformad.numpy.implements import implements


@implements(method="__array_namespace__")
def array_namespace(x: Tracer, *, api_version: Any = None) -> ModuleType:
    """The namespace of the standard's functions; NumPy's error for a version that it does not have."""
    np.empty(0).__array_namespace__(api_version=api_version)
    return sys.modules[__package__]


@implements(attribute="device")
def device(x: Tracer) -> str:
    return "cpu"


@implements(method="to_device")
def to_device(x: Tracer, device: Any, /, *, stream: Any = None) -> Value:
    np.empty(0).to_device(device, stream=stream)
    return x


@implements(method="__dlpack__")
def dlpack(x: Tracer, **options: Any) -> Value:
    """Refused, unless the interpreter allows to take the value out: another library would not see the derivative."""
    array = np.asarray(x.interpreter.concretize(x, "numpy.from_dlpack(x)"))
    return array.__dlpack__(**options)


@implements(method="__dlpack_device__")
def dlpack_device(x: Tracer) -> tuple[int, int]:
    return np.empty(0).__dlpack_device__()
