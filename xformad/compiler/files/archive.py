"""One file for a description and arrays: a zip archive like NumPy's `.npz`, of which nothing is taken on trust.

It holds `graph.json`, its checksum, and the arrays as `.npy`. Nothing is compressed, so a file cannot grow when it is read.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from xformad.compiler.files.values import Json, type_of, type_text
from xformad.errors import GraphFileError

Array = np.ndarray[Any, Any]

DESCRIPTION: Final = "graph.json"
CHECKSUM: Final = "graph.json.sha256"

LONGEST_HEADER: Final = 1024
"""How many bytes the header of an array may have. NumPy's have 128, or 192 where there are many axes."""


def array_name(number: int) -> str:
    return f"array_{number}.npy"


def write(path: str | PathLike[str], description: Json, arrays: list[Array]) -> None:
    """Write an archive.

    Args:
        path: the file.
        description: what becomes `graph.json`. The list of the arrays is added.
        arrays: the arrays.
    """
    texts = [as_npy(array) for array in arrays]
    listed = [
        {"type": type_text((array.shape, array.dtype)), "sha256": hashlib.sha256(text).hexdigest()}
        for array, text in zip(arrays, texts, strict=True)
    ]
    text = json.dumps({**description, "arrays": listed}, allow_nan=False).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        add(archive, DESCRIPTION, text)
        add(archive, CHECKSUM, f"{hashlib.sha256(text).hexdigest()}  {DESCRIPTION}\n".encode())
        for number, each in enumerate(texts):
            add(archive, array_name(number), each)


def add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file. It has no date, so that equal functions have equal files."""
    archive.writestr(zipfile.ZipInfo(name), data)


def as_npy(array: Array) -> bytes:
    """An array in NumPy's own format, in the order of bytes that most machines have."""
    buffer = io.BytesIO()
    array = array.astype(array.dtype.newbyteorder("<"), order="K", copy=False)
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def read(path: str | PathLike[str]) -> tuple[Json, list[Array]]:
    """What an archive holds.

    Raises:
        GraphFileError: if it is damaged, or something else.
        OSError: if it cannot be opened.
    """
    with Path(path).open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return contents(archive, file.seek(0, io.SEEK_END))
        except GraphFileError:
            raise
        except Exception as error:  # what zipfile raises for damaged files is of many types
            raise GraphFileError(f"it is damaged, or no graph file: {error}") from error


def contents(archive: zipfile.ZipFile, size: int) -> tuple[Json, list[Array]]:
    """The description and the arrays in an archive of so many bytes."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise GraphFileError("it has two parts of one name")
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size for entry in entries):
        raise GraphFileError("it is compressed, which graph files are not")
    if sum(entry.file_size for entry in entries) > size:
        raise GraphFileError("its parts are larger than the whole")
    if DESCRIPTION not in names or CHECKSUM not in names:
        raise GraphFileError(f"it has no {DESCRIPTION}, or no checksum of it")
    text = archive.read(DESCRIPTION)
    if archive.read(CHECKSUM).split()[:1] != [hashlib.sha256(text).hexdigest().encode()]:
        raise GraphFileError(f"it is damaged: {DESCRIPTION} has another checksum than when it was written")
    description = parsed(text)
    listed = description.pop("arrays", None)
    if type(listed) is not list or set(names) != {DESCRIPTION, CHECKSUM, *map(array_name, range(len(listed)))}:
        raise GraphFileError("it does not have the arrays that it lists")
    return description, [array_of(each, archive.read(array_name(i)), i) for i, each in enumerate(listed)]


def parsed(text: bytes) -> dict[str, Json]:
    """A description. Numbers that JSON does not know, and keys that come twice, are refused."""
    try:
        found = json.loads(
            text.decode(), object_pairs_hook=without_repetition, parse_constant=refused, parse_float=finite
        )
    except (ValueError, RecursionError) as error:
        raise GraphFileError(f"{DESCRIPTION} is no JSON: {error}") from None
    if type(found) is not dict:
        raise GraphFileError(f"{DESCRIPTION} holds no object")
    return found


def without_repetition(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def refused(name: str) -> Json:
    raise ValueError(f"{name} is no number in JSON")


def finite(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else refused(text)


def array_of(listed: Json, data: bytes, number: int) -> Array:
    """An array of its bytes, which must be what the description says."""
    name = array_name(number)
    if type(listed) is not dict or set(listed) != {"type", "sha256"}:
        raise GraphFileError(f"{name} is not described")
    shape, dtype = type_of(listed["type"])
    if hashlib.sha256(data).hexdigest() != listed["sha256"]:
        raise GraphFileError(f"it is damaged: {name} has another checksum than when it was written")
    file: IO[bytes] = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        found, fortran, of = np.lib.format.read_array_header_1_0(file, max_header_size=LONGEST_HEADER)
        start = file.tell()
        size = math.prod(shape) * dtype.itemsize
        if version == (1, 0) and found == shape and of == dtype.newbyteorder("<") and len(data) - start == size:
            flat = np.frombuffer(data, of, offset=start).astype(dtype)
            array = flat.reshape(shape, order="F" if fortran else "C")
            array.flags.writeable = False
            return array
    except ValueError as error:
        raise GraphFileError(f"{name} is no array: {error}") from None
    raise GraphFileError(f"{name} is not the array that is described")
