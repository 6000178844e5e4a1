"""Compiling and calling: a kernel's text becomes machine code, and the machine code a function that Python can call.

The function is one of C's own kind (`METH_FASTCALL`), made of the machine code, so that a call costs what one of NumPy's
functions costs. It takes arrays, and reads where their entries lie from the objects themselves.
"""

from __future__ import annotations

import ctypes
import functools
import re
import threading
from collections.abc import Callable
from typing import Any, Final, final

import llvmlite.binding as llvm
import numpy as np

from xformad.compiler.backends import threads
from xformad.compiler.native.functions import definitions
from xformad.compiler.native.kernel_text import KernelWriter
from xformad.compiler.native.plans import Planner
from xformad.compiler.native.pool import Pool
from xformad.compiler.native.splitting import LARGE, work_of
from xformad.compiler.replay import Writer
from xformad.core.graph import Graph, Node
from xformad.core.guards import GuardError
from xformad.core.typing import Value

METH_FASTCALL: Final = 0x80

OBJECT_HEAD: Final = object.__basicsize__
"""Where the first field of an object lies: the address of an array's entries, the number in a float."""

FLAGS: Final = OBJECT_HEAD + 8 * 6
"""Where the flags of an array lie: after its data, the number of its axes (padded), shape, strides, base and dtype."""

CONTIGUOUS_AND_ALIGNED: Final = 0x0001 | 0x0100

COPY: Final = -1
"""What a kernel returns if an argument does not lie in memory as it must."""

compiling: Final = threading.Lock()

LOOP: Final = """
define void @loop(ptr noalias %x, ptr noalias %y, i64 %n) {
entry:
  br label %next
next:
  %i = phi i64 [0, %entry], [%following, %next]
  %from = getelementptr inbounds double, ptr %x, i64 %i
  %to = getelementptr inbounds double, ptr %y, i64 %i
  %value = load double, ptr %from
  %square = fmul double %value, %value
  store double %square, ptr %to
  %following = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %following, %n
  br i1 %done, label %end, label %next
end:
  ret void
}
"""
"""A loop to be vectorised."""


class Method(ctypes.Structure):
    """`PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


@final
class Engine:
    """What compiles for this machine."""

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self.target = llvm.Target.from_default_triple()
        self.processor = {
            "cpu": llvm.get_host_cpu_name(),
            "features": llvm.get_host_cpu_features().flatten(),
            "opt": 3,
            "jit": True,
        }
        self.triple = llvm.get_default_triple()

    @functools.cached_property
    def lanes(self) -> int:
        """How many doubles the vectoriser puts into a vector: what it makes of a loop."""
        with compiling:
            found = re.search(r"<(\d+) x double>", str(self.optimised(LOOP)[0]))
        return int(found[1]) if found else 2

    def optimised(self, text: str) -> tuple[Any, Any]:
        """A module, and what makes machine code of it."""
        machine = self.target.create_target_machine(**self.processor)  # the compiled code keeps it
        module = llvm.parse_assembly(f'target triple = "{self.triple}"\n{text}')
        module.verify()
        # Level 3 takes up to twice as long (221 ms in the place of 115 for a Gaussian mixture), for loops as fast.
        options = llvm.create_pipeline_tuning_options(speed_level=2)
        options.loop_vectorization = True
        # LLVM 22's aborts on unrolled calls that have two results.
        options.slp_vectorization = "vector-function-abi-variant" not in text and "@xf_sincos" not in text
        builder = llvm.create_pass_builder(machine, options)
        passes = builder.getModulePassManager()
        passes.run(module, builder)
        return module, machine

    def compile(self, text: str) -> Any:
        """Machine code for a module: what holds it."""
        with compiling:
            module, machine = self.optimised(text)
            engine = llvm.create_mcjit_compiler(module, machine)
            engine.finalize_object()
            return engine


engine: list[Engine] = []


def the_engine() -> Engine:
    if not engine:
        engine.append(Engine())
    return engine[0]


pool: list[Pool] = []


def the_pool() -> Pool | None:
    """The threads; None where there are none to be had."""
    if not pool:
        try:
            pool.append(Pool(the_engine(), threads["count"]))
        except (AttributeError, OSError):
            return None
    pool[0].resize(threads["count"])
    return pool[0]


def set_threads(count: int) -> None:
    """Have so many threads work on large loops."""
    if pool:
        pool[0].resize(count)


def declarations(text: str) -> str:
    """The declarations of the functions that a module calls and does not define.

    >>> print(declarations("  %y = call double @llvm.fma.f64(double %x, double %x, double 0x0)"))
    declare double @llvm.fma.f64(double, double, double) memory(none) nounwind willreturn
    """
    found: dict[str, str] = {}
    defined = set(re.findall(r"^define [^@]*@(\w+)\(", text, re.MULTILINE))
    for kind, name, operands in re.findall(r"call (?:nsz )?(<[^>]*>|\w+) @([\w.]+)\((.*)\)$", text, re.MULTILINE):
        if name not in defined and name not in found:
            types = ", ".join(re.findall(r"(?<![(\w])(<\d+ x \w+>|\w+)(?= (?:%|-?\d|splat|true|false))", operands))
            found[name] = f"declare {kind} @{name}({types}) memory(none) nounwind willreturn"
    return "\n".join(found.values())


@final
class Kernel:
    """A graph as machine code. Called with its arguments, it returns the results.

    Raises:
        UnsupportedGraphError: if there is something in the graph that there are no machine operations for.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        planner = Planner(graph)
        self.work = sum(map(work_of, planner.steps))
        writer = KernelWriter(planner, the_engine().lanes, the_pool() if self.work >= LARGE else None)
        outputs = [out for out in graph.outputs if isinstance(out, Node)]
        self.outputs = [(out.shape, out.dtype) for out in outputs]
        self.endings = ["" if out.shape else ".item()" if isinstance(out.value, type) else "[()]" for out in outputs]
        self.memory = writer.memory
        self.constants = planner.constants
        self.inputs = [(node.shape, node.dtype) for node in graph.inputs]
        self.whole = [i for i, (shape, dtype) in enumerate(self.inputs) if not shape and dtype.kind in "ib"]
        addresses = [array.ctypes.data for array in planner.constants]
        text = writer.text + "\n\n" + self.entry(len(graph.inputs))
        text = re.sub(r"@constant(\d+)\b", lambda found: f"inttoptr (i64 {addresses[int(found[1])]} to ptr)", text)
        text += "\n\n" + definitions(text, the_engine().lanes)
        self.text = declarations(text) + "\n\n" + text
        self.code = the_engine().compile(self.text)
        address = self.code.get_function_address("entry")
        self.method = Method(b"kernel", address, METH_FASTCALL, None)
        make = ctypes.pythonapi.PyCFunction_NewEx
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        self.function: Callable[..., int] = make(ctypes.addressof(self.method), None, None)

    def entry(self, inputs: int) -> str:
        """The function that Python calls: it takes the arguments' objects, the results' and that of the memory."""
        lines = ["define ptr @entry(ptr %self, ptr %objects, i64 %count) {", "start:"]
        names = [f"argument{i}" for i in range(inputs)] + [f"result{i}" for i in range(len(self.outputs))]
        names.append("temporaries")
        failing = []
        for i, name in enumerate(names):
            lines.append(f"  %slot{i} = getelementptr ptr, ptr %objects, i64 {i}")
            lines.append(f"  %object{i} = load ptr, ptr %slot{i}")
            lines.append(f"  %field{i} = getelementptr i8, ptr %object{i}, i64 {OBJECT_HEAD}")
            if i < inputs and not self.inputs[i][0]:
                lines += [  # the number in a scalar, or in an array of no axes
                    f"  %typeat{i} = getelementptr i8, ptr %object{i}, i64 {OBJECT_HEAD - 8}",
                    f"  %type{i} = load ptr, ptr %typeat{i}",
                    f"  %isarray{i} = icmp eq ptr %type{i}, inttoptr (i64 {id(np.ndarray)} to ptr)",
                    f"  %data{i} = load ptr, ptr %field{i}",
                    f"  %{name} = select i1 %isarray{i}, ptr %data{i}, ptr %field{i}",
                ]
                continue
            lines.append(f"  %{name} = load ptr, ptr %field{i}")
            if i < inputs:
                lines.append(f"  %flagsat{i} = getelementptr i8, ptr %object{i}, i64 {FLAGS}")
                lines.append(f"  %flags{i} = load i32, ptr %flagsat{i}")
                lines.append(f"  %both{i} = and i32 %flags{i}, {CONTIGUOUS_AND_ALIGNED}")
                lines.append(f"  %good{i} = icmp eq i32 %both{i}, {CONTIGUOUS_AND_ALIGNED}")
                lines.append(f"  br i1 %good{i}, label %next{i}, label %copy")
                lines.append(f"next{i}:")
                failing.append(i)
        call = ", ".join(f"ptr %{name}" for name in names)
        save, restore = (
            f"inttoptr (i64 {ctypes.cast(function, ctypes.c_void_p).value} to ptr)"
            for function in (ctypes.pythonapi.PyEval_SaveThread, ctypes.pythonapi.PyEval_RestoreThread)
        )
        if self.work >= LARGE:  # other threads of Python may run meanwhile
            lines.append(f"  %thread = call ptr {save}()")
        lines.append(f"  %status = call i64 @kernel({call})")
        if self.work >= LARGE:
            lines.append(f"  call void {restore}(ptr %thread)")
        make = ctypes.cast(ctypes.pythonapi.PyLong_FromLong, ctypes.c_void_p).value
        lines.append(f"  %answer = call ptr inttoptr (i64 {make} to ptr)(i64 %status)")
        lines.append("  ret ptr %answer")
        lines.append("copy:")
        lines.append(f"  %other = call ptr inttoptr (i64 {make} to ptr)(i64 {COPY})")
        lines.append("  ret ptr %other")
        lines.append("}")
        return "\n".join(lines)

    def __call__(self, *args: Value) -> tuple[Value, ...]:
        if self.whole:  # Python's whole numbers are not laid out as the machine's
            args = tuple([np.asarray(x, self.inputs[i][1]) if i in self.whole else x for i, x in enumerate(args)])
        results = [np.empty(shape, dtype) for shape, dtype in self.outputs]
        memory = np.empty(self.memory, np.uint8)
        status = self.function(*args, *results, memory)
        if status:
            self.again(status, *args, *results, memory)
        return tuple(
            [
                x if not ending else x.item() if ending == ".item()" else x[()]
                for x, ending in zip(results, self.endings, strict=True)
            ]
        )

    def again(self, status: int, *objects: Value) -> None:
        """What to do if the function does not return 0: copy the arguments, if it asks for that.

        Raises:
            GuardError: if a guard does not hold.
        """
        if status == COPY:
            count = len(self.inputs)
            args = [np.ascontiguousarray(x) if self.inputs[i][0] else x for i, x in enumerate(objects[:count])]
            status = self.function(*args, *objects[count:])
        if status:
            raise GuardError

    def write(self, writer: Writer, operands: list[str], name: str) -> list[str]:
        """The lines of a call, without a tuple of results."""
        asarray, empty = writer.named(np.asarray, "asarray"), writer.named(np.empty, "empty")
        for i in self.whole:
            operands[i] = f"{asarray}({operands[i]}, {writer.constant(self.inputs[i][1])})"
        results = [f"{name}_{i}" for i in range(len(self.outputs))]
        for result, (shape, dtype) in zip(results, self.outputs, strict=True):
            writer.lines.append(f"    {result} = {empty}({writer.constant(shape)}, {writer.constant(dtype)})")
        memory = results[0] if results else "None"
        if self.memory or not results:
            memory = f"{name}_memory"
            writer.lines.append(f"    {memory} = {empty}({self.memory}, {writer.constant(np.dtype(np.uint8))})")
        objects = ", ".join([*operands, *results, memory])
        function, again = writer.named(self.function, f"kernel{name}"), writer.named(self.again, f"again{name}")
        writer.lines.append(f"    status = {function}({objects})")
        writer.lines.append(f"    if status: {again}(status, {objects})")
        return [f"{result}{ending}" for result, ending in zip(results, self.endings, strict=True)]
