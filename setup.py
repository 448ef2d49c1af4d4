"""Builds the compiled kernel of the transform. Without a compiler the install succeeds and the transform uses NumPy."""

import sys
from pathlib import Path

from setuptools import Extension, setup

folder = Path("src/semg_hht/hht/csrc")
unix = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]  # neither flag changes a result

setup(
    ext_modules=[
        Extension(
            "semg_hht.hht._kernel",
            sources=[str(path) for path in sorted(folder.glob("*.c"))],
            depends=[str(path) for path in sorted(folder.glob("*.h"))],
            extra_compile_args=["/O2", "/std:c11"] if sys.platform == "win32" else unix,
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
