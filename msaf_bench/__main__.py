"""Entry point of `python -m msaf_bench`, the same command line as `msaf-bench`."""

from msaf_bench.cli import run

run()
