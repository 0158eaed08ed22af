"""Every signal that ends a process unwinds it first; handlers are left as they were found; the hint
fits the command.
"""

import os
import signal
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from msaf_bench import cli

pytestmark = pytest.mark.usefixtures("default_signals")


@pytest.fixture
def invoked(monkeypatch):
    """Has the command line call a function in place of its command."""

    def replace(call):
        context = SimpleNamespace(command=SimpleNamespace(invoke=lambda _: call()))
        command = SimpleNamespace(make_context=lambda *_: nullcontext(context))
        monkeypatch.setattr(cli.typer.main, "get_command", lambda _: command)

    return replace


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_the_command_with_its_code(invoked, number):
    wound_up = []

    def stopped():
        try:
            os.kill(os.getpid(), number)
        finally:
            wound_up.append(number)

    invoked(stopped)
    before = signal.getsignal(number)
    assert cli.main(["list"]) == 128 + number
    assert wound_up == [number]
    assert signal.getsignal(number) == before


def test_what_is_ignored_stays_ignored(invoked):
    invoked(lambda: os.kill(os.getpid(), signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        assert cli.main(["list"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("resume", "hint"),
    [((), "--resume runs the rest"), (("--resume",), "the same command runs the rest")],
)
def test_the_hint_fits_the_command(monkeypatch, tmp_path, resume, hint):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("msaf_bench.sweep.driver.run_sweep", stopped)
    small = ["--table", "3", "--preset", "smoke", "--on", "local", "--reports", str(tmp_path)]
    found = CliRunner().invoke(cli.app, ["ablate", *small, *resume])
    assert hint in found.output


def test_a_training_that_is_stopped_says_from_where_it_goes_on(monkeypatch, tmp_path, capsys):
    def stopped(net, *_, folder, **__):
        (folder / "step-0000003.safetensors").parent.mkdir(parents=True)
        (folder / "step-0000003.safetensors").touch()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("msaf_bench.sweep.trial.train", stopped)
    assert cli.main(["train", "pspnet18", "--preset", "smoke", "--reports", str(tmp_path)]) == 130
    assert "stopped; the same command continues from step 3 of 4" in capsys.readouterr().err
