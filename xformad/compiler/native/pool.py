"""A pool of threads in machine code: large loops are cut into chunks, and whoever is free takes the next one.

The threads are Python's, each inside of one call that does not end: it waits for work without holding Python's lock. One
job is done at a time; a thread that has one while another's is being done does it alone. Which chunks there are does not
depend on the number of threads, so the results do not either.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any, Final, final

SPINS: Final = 20_000
"""How often a thread looks for work before it lies down to sleep: some ten microseconds."""

FIELDS: Final = {
    name: 64 * i
    for i, name in enumerate(
        ("mutex", "start", "done", "busy", "generation", "open", "active", "joined", "limit", "next", "job")
    )
}
"""Where the fields of a pool lie in its memory, each in a cache line of its own. `job` is the function, its argument, and
the number of chunks."""

NAMES: Final = (
    "pthread_mutex_init",
    "pthread_cond_init",
    "pthread_mutex_lock",
    "pthread_mutex_unlock",
    "pthread_cond_wait",
    "pthread_cond_broadcast",
    "pthread_cond_signal",
)

TEXT: Final = """
define internal void @chunks(ptr %pool, ptr %function, ptr %argument, i64 %count) {
entry:
{fields}
  br label %take
take:
  %chunk = atomicrmw add ptr %next.at, i64 1 acq_rel
  %more = icmp slt i64 %chunk, %count
  br i1 %more, label %work, label %end
work:
  call void %function(ptr %argument, i64 %chunk)
  br label %take
end:
  ret void
}

define void @run(ptr %pool, ptr %function, ptr %argument, i64 %count) {
entry:
{fields}
  %limit = load atomic i64, ptr %limit.at acquire, align 8
  %none = icmp eq i64 %limit, 0
  br i1 %none, label %alone, label %try
try:
  %tried = cmpxchg ptr %busy.at, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %tried, 1
  br i1 %mine, label %publish, label %alone
publish:
  call i32 {pthread_mutex_lock}(ptr %mutex.at)
  store ptr %function, ptr %job.at
  store ptr %argument, ptr %job.at1
  store i64 %count, ptr %job.at2
  store i64 0, ptr %joined.at
  store atomic i64 0, ptr %next.at release, align 8
  store i64 1, ptr %open.at
  %before = load atomic i64, ptr %generation.at monotonic, align 8
  %after = add i64 %before, 1
  store atomic i64 %after, ptr %generation.at release, align 8
  call i32 {pthread_cond_broadcast}(ptr %start.at)
  call i32 {pthread_mutex_unlock}(ptr %mutex.at)
  call void @chunks(ptr %pool, ptr %function, ptr %argument, i64 %count)
  br label %spin
spin:
  %turn = phi i64 [0, %publish], [%following, %spinning]
  %others = load atomic i64, ptr %active.at acquire, align 8
  %finished = icmp eq i64 %others, 0
  br i1 %finished, label %close, label %spinning
spinning:
  %following = add i64 %turn, 1
  %tired = icmp eq i64 %following, {spins}
  br i1 %tired, label %close, label %spin
close:
  call i32 {pthread_mutex_lock}(ptr %mutex.at)
  store i64 0, ptr %open.at
  br label %check
check:
  %left = load atomic i64, ptr %active.at monotonic, align 8
  %empty = icmp eq i64 %left, 0
  br i1 %empty, label %leave, label %wait
wait:
  call i32 {pthread_cond_wait}(ptr %done.at, ptr %mutex.at)
  br label %check
leave:
  call i32 {pthread_mutex_unlock}(ptr %mutex.at)
  store atomic i64 0, ptr %busy.at release, align 8
  ret void
alone:
  br label %each
each:
  %chunk = phi i64 [0, %alone], [%one, %body]
  %more = icmp slt i64 %chunk, %count
  br i1 %more, label %body, label %end
body:
  call void %function(ptr %argument, i64 %chunk)
  %one = add i64 %chunk, 1
  br label %each
end:
  ret void
}

define void @worker(ptr %pool) {
entry:
{fields}
  br label %ready
ready:
  %seen = phi i64 [0, %entry], [%now, %late], [%now, %finished]
  br label %spin
spin:
  %turn = phi i64 [0, %ready], [%following, %spinning]
  %current = load atomic i64, ptr %generation.at acquire, align 8
  %new = icmp ne i64 %current, %seen
  br i1 %new, label %enter, label %spinning
spinning:
  %following = add i64 %turn, 1
  %tired = icmp eq i64 %following, {spins}
  br i1 %tired, label %enter, label %spin
enter:
  call i32 {pthread_mutex_lock}(ptr %mutex.at)
  br label %check
check:
  %now = load atomic i64, ptr %generation.at monotonic, align 8
  %same = icmp eq i64 %now, %seen
  br i1 %same, label %sleep, label %awake
sleep:
  call i32 {pthread_cond_wait}(ptr %start.at, ptr %mutex.at)
  br label %check
awake:
  %isopen = load i64, ptr %open.at
  %there = load i64, ptr %joined.at
  %limit = load atomic i64, ptr %limit.at monotonic, align 8
  %room = icmp slt i64 %there, %limit
  %yes = icmp eq i64 %isopen, 1
  %in = and i1 %room, %yes
  br i1 %in, label %join, label %late
late:
  call i32 {pthread_mutex_unlock}(ptr %mutex.at)
  br label %ready
join:
  %more = add i64 %there, 1
  store i64 %more, ptr %joined.at
  atomicrmw add ptr %active.at, i64 1 acq_rel
  %function = load ptr, ptr %job.at
  %argument = load ptr, ptr %job.at1
  %count = load i64, ptr %job.at2
  call i32 {pthread_mutex_unlock}(ptr %mutex.at)
  call void @chunks(ptr %pool, ptr %function, ptr %argument, i64 %count)
  call i32 {pthread_mutex_lock}(ptr %mutex.at)
  %were = atomicrmw sub ptr %active.at, i64 1 acq_rel
  %last = icmp eq i64 %were, 1
  br i1 %last, label %tell, label %finished
tell:
  call i32 {pthread_cond_signal}(ptr %done.at)
  br label %finished
finished:
  call i32 {pthread_mutex_unlock}(ptr %mutex.at)
  br label %ready
}
"""


@final
class Pool:
    """Threads that wait for chunks of loops.

    Args:
        engine: what compiles the pool's own code.
        threads: how many there are, with the one that calls.

    Attributes:
        address: of the memory that the threads share.
        run: the address of the function that does a job: of the memory, the job's function, its argument, and the number
            of chunks. The function takes the argument and the number of a chunk.
    """

    def __init__(self, engine: Any, threads: int) -> None:
        library = ctypes.CDLL(None)
        self.functions = {name: getattr(library, name) for name in NAMES}
        addresses = {
            name: f"inttoptr (i64 {ctypes.cast(function, ctypes.c_void_p).value} to ptr)"
            for name, function in self.functions.items()
        }
        fields = [f"  %{name}.at = getelementptr i8, ptr %pool, i64 {offset}" for name, offset in FIELDS.items()]
        fields += [f"  %job.at{i} = getelementptr i8, ptr %job.at, i64 {8 * i}" for i in (1, 2)]
        text = TEXT
        for name, value in {**addresses, "fields": "\n".join(fields), "spins": SPINS}.items():
            text = text.replace(f"{{{name}}}", str(value))
        self.code = engine.compile(text)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.code))  # threads are in it until the process ends
        self.run: int = self.code.get_function_address("run")
        self.worker = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.code.get_function_address("worker"))
        self.memory = ctypes.create_string_buffer(64 * (len(FIELDS) + 1))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.memory))
        self.address = -(-ctypes.addressof(self.memory) // 64) * 64
        self.started = 0
        self.reset()
        self.resize(threads)
        os.register_at_fork(after_in_child=self.reset)

    def reset(self) -> None:
        """Begin anew, without threads: a forked process has none of those before."""
        ctypes.memset(self.address, 0, 64 * len(FIELDS))
        self.functions["pthread_mutex_init"](ctypes.c_void_p(self.address + FIELDS["mutex"]), None)
        for name in ("start", "done"):
            self.functions["pthread_cond_init"](ctypes.c_void_p(self.address + FIELDS[name]), None)
        self.started = 0

    def resize(self, threads: int) -> None:
        """Have so many threads take part in jobs, with the one that calls."""
        while self.started < threads - 1:
            threading.Thread(target=self.worker, args=(self.address,), name="xformad", daemon=True).start()
            self.started += 1
        ctypes.c_int64.from_address(self.address + FIELDS["limit"]).value = threads - 1
