"""Every signal that ends a process unwinds it first; handlers are left as they were found; the hint fits the command."""

import os
import signal

import pytest
from typer.testing import CliRunner

from msaf_bench import cli
from msaf_bench.sweep import run as run_module


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_the_command_with_its_code(monkeypatch, number):
    wound_up = []

    def stopped(arguments, *, debug):
        try:
            os.kill(os.getpid(), number)
        finally:
            wound_up.append(number)

    monkeypatch.setattr(cli, "_run", stopped)
    before = signal.getsignal(number)
    assert cli.main(["list"]) == 128 + number
    assert wound_up == [number]
    assert signal.getsignal(number) == before


def test_what_is_ignored_stays_ignored(monkeypatch):
    monkeypatch.setattr(cli, "_run", lambda arguments, *, debug: os.kill(os.getpid(), signal.SIGHUP) or 0)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        assert cli.main(["list"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("resume", "hint"), [((), "--resume runs the rest"), (("--resume",), "the same command runs the rest")])
def test_the_hint_fits_the_command(monkeypatch, tmp_path, resume, hint):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_sweep", stopped)
    small = ["--table", "3", "--preset", "smoke", "--on", "local", "--reports", str(tmp_path)]
    found = CliRunner().invoke(cli.app, ["ablate", *small, *resume])
    assert hint in found.output
