"""Child processes that import this package from the parent's place.

A module in the working folder never hides one of Python's own.
"""

import sys
from pathlib import Path

# The package is loaded from its path, even if another package has the same name. The parent's
# `sys.path` is appended to the child's own.
_RUN = """
import importlib.util, runpy, sys
package, module, *more = sys.argv[1:4]
sys.path += [path for path in more[0].split("\\n") if path and path not in sys.path]
spec = importlib.util.spec_from_file_location(
    "msaf_bench", package + "/__init__.py", submodule_search_locations=[package]
)
sys.modules["msaf_bench"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["msaf_bench"])
sys.argv = [module, *sys.argv[4:]]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package in a fresh interpreter."""
    return [
        sys.executable,
        "-P",
        "-c",
        _RUN,
        str(Path(__file__).parent),
        module,
        "\n".join(sys.path),
        *arguments,
    ]
