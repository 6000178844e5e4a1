"""How operations become steps of a kernel, by family. Importing this fills `planner.PLANS`."""

from xformad.compiler.native.planner import PLANS, Planner
from xformad.compiler.native.plans import elementwise, joining, loops, moves, products, sums

__all__ = ["PLANS", "Planner", "elementwise", "joining", "loops", "moves", "products", "sums"]
