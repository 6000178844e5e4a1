"""SciPy's namespace for programs under transformation: `import xformad.scipy.linalg`. It needs SciPy.

SciPy's ufuncs (`scipy.special.erf`) work on traced arrays as they are; its other functions do not hand over, and are here.
A function for which there is no rule is SciPy's own and works on plain arrays.
"""

from __future__ import annotations

from xformad import optional

optional.scipy("special", "xformad.scipy")
