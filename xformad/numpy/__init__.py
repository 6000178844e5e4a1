"""NumPy's namespace for programs under transformation: `import xformad.numpy as np`.

Where NumPy dispatches on traced arrays, the function here is NumPy's own (`xformad.numpy.sin is numpy.sin`), so plain
arrays pay nothing, and `import numpy as np` does as well. What NumPy does not dispatch is filled in: `array`, `asarray`
and their like take lists that hold traced values.

The modules of this package are the faces: what NumPy's functions, methods and attributes do on traced arrays.
"""

from __future__ import annotations

from typing import Any

import numpy

# fmt: off
from numpy import (  # noqa: A004, F401
    False_, ScalarType, True_, __array_namespace_info__, abs, absolute, acos, acosh, add, all, allclose, amax,
    amin, angle, any, append, apply_along_axis, apply_over_axes, arange, arccos, arccosh, arcsin, arcsinh,
    arctan, arctan2, arctanh, argmax, argmin, argpartition, argsort, argwhere, around, array2string,
    array_equal, array_equiv, array_repr, array_split, array_str, asarray_chkfinite, asfortranarray, asin,
    asinh, asmatrix, astype, atan, atan2, atanh, atleast_1d, atleast_2d, atleast_3d, average, bartlett,
    base_repr, binary_repr, bincount, bitwise_and, bitwise_count, bitwise_invert, bitwise_left_shift,
    bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, blackman, block, bmat, bool, bool_, broadcast,
    broadcast_arrays, broadcast_shapes, broadcast_to, busday_count, busday_offset, busdaycalendar, byte, bytes_,
    c_, can_cast, cbrt, cdouble, ceil, character, choose, clip, clongdouble, column_stack, common_type,
    complex128, complex256, complex64, complexfloating, compress, concat, concatenate, conj, conjugate,
    convolve, copy, copysign, copyto, corrcoef, correlate, cos, cosh, count_nonzero, cov, cross, csingle,
    cumprod, cumsum, datetime64, datetime_as_string, datetime_data, deg2rad, degrees, delete, diag,
    diag_indices, diag_indices_from, diagflat, diagonal, diff, digitize, divide, divmod, dot, double, dsplit,
    dstack, dtype, e, ediff1d, einsum, einsum_path, empty, empty_like, equal, errstate, euler_gamma, exp, exp2,
    expand_dims, expm1, extract, eye, fabs, fill_diagonal, finfo, fix, flatiter, flatnonzero, flexible, flip,
    fliplr, flipud, float128, float16, float32, float64, float_power, floating, floor, floor_divide, fmax, fmin,
    fmod, format_float_positional, format_float_scientific, frexp, from_dlpack, frombuffer, fromfile,
    fromfunction, fromiter, frompyfunc, fromregex, fromstring, full, full_like, gcd, generic, genfromtxt,
    geomspace, get_include, get_printoptions, getbufsize, geterr, geterrcall, gradient, greater, greater_equal,
    half, hamming, hanning, heaviside, histogram, histogram2d, histogram_bin_edges, histogramdd, hsplit, hstack,
    hypot, i0, identity, iinfo, imag, index_exp, indices, inexact, inf, info, inner, insert, int16, int32,
    int64, int8, int_, intc, integer, interp, intersect1d, intp, invert, is_busday, isclose, iscomplex,
    iscomplexobj, isdtype, isfinite, isfortran, isin, isinf, isnan, isnat, isneginf, isposinf, isreal,
    isrealobj, isscalar, issubdtype, iterable, ix_, kaiser, kron, lcm, ldexp, left_shift, less, less_equal,
    lexsort, linspace, little_endian, load, loadtxt, log, log10, log1p, log2, logaddexp, logaddexp2,
    logical_and, logical_not, logical_or, logical_xor, logspace, long, longdouble, longlong, mask_indices,
    matmul, matrix, matrix_transpose, max, maximum, may_share_memory, mean, median, memmap, meshgrid, mgrid,
    min, min_scalar_type, minimum, mintypecode, mod, modf, moveaxis, multiply, nan, nan_to_num, nanargmax,
    nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian, nanmin, nanpercentile, nanprod, nanquantile,
    nanstd, nansum, nanvar, ndarray, ndenumerate, ndim, ndindex, nditer, negative, nested_iters, newaxis,
    nextafter, nonzero, not_equal, number, object_, ogrid, ones, ones_like, outer, packbits, pad, partition,
    percentile, permute_dims, pi, piecewise, place, poly, poly1d, polyadd, polyder, polydiv, polyfit, polyint,
    polymul, polysub, polyval, positive, pow, power, printoptions, prod, promote_types, ptp, put,
    put_along_axis, putmask, quantile, r_, rad2deg, radians, ravel, ravel_multi_index, real, real_if_close,
    recarray, reciprocal, record, remainder, repeat, require, reshape, resize, result_type, right_shift, rint,
    roll, rollaxis, roots, rot90, round, row_stack, s_, save, savetxt, savez, savez_compressed, sctypeDict,
    searchsorted, select, set_printoptions, setbufsize, setdiff1d, seterr, seterrcall, setxor1d, shape,
    shares_memory, short, sign, signbit, signedinteger, sin, sinc, single, sinh, size, sort, sort_complex,
    spacing, split, sqrt, square, squeeze, stack, std, str_, subtract, sum, swapaxes, take, take_along_axis,
    tan, tanh, tensordot, tile, timedelta64, trace, transpose, trapezoid, tri, tril, tril_indices,
    tril_indices_from, trim_zeros, triu, triu_indices, triu_indices_from, true_divide, trunc, typecodes,
    typename, ubyte, ufunc, uint, uint16, uint32, uint64, uint8, uintc, uintp, ulong, ulonglong, union1d,
    unique, unique_all, unique_counts, unique_inverse, unique_values, unpackbits, unravel_index,
    unsignedinteger, unwrap, ushort, vander, var, vdot, vecdot, vectorize, void, vsplit, vstack, where, zeros,
    zeros_like
)
# fmt: on
from numpy import fft, linalg, random  # noqa: F401
from xformad.numpy import creation, element_types, elementwise, indexing, joining, linear_algebra, products, reductions, selection, shapes, sorting  # noqa: F401
from xformad.numpy.creation import array, asanyarray, asarray, ascontiguousarray  # noqa: F401


def __getattr__(name: str) -> Any:
    """What newer NumPy versions have."""
    return getattr(numpy, name)
