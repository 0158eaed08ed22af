"""Run `msaf-bench ablate` with the inputs of the action, which are environment variables.

TABLE, PLUGIN, PRESET, DATA, SEEDS: options of the same names; an empty one is left out.
ARGS: further options, quoted as in a shell; nothing in it is expanded or executed.
FOLDER: folder of the run.
"""

import os
import shlex
import subprocess
import sys

OPTIONS = ("TABLE", "PLUGIN", "PRESET", "DATA", "SEEDS")


def main() -> int:
    """Print the command, run it, and return its exit code."""
    given = [(f"--{name.lower()}", os.environ.get(name, "").strip()) for name in OPTIONS]
    words = [word for pair in given if pair[1] for word in pair]
    words += [*shlex.split(os.environ.get("ARGS", "")), "--reports", os.environ["FOLDER"]]
    print(shlex.join(["msaf-bench", "ablate", *words]), flush=True)
    command = [sys.executable, "-m", "msaf_bench", "ablate", *words]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
