"""`python -m msaf_bench` is `msaf-bench`."""

from msaf_bench.cli import run

run()
