"""Starts the processes of a group, as torchrun does, and trains in one of them."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path


def start(arguments, size=2, **environment):
    """Start `python ARGUMENTS` as every process of a group; return them by rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    folders = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    shared = os.environ | group | {"PYTHONPATH": os.pathsep.join(folders)} | environment
    return [
        subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def ended(processes, seconds=240):
    """Wait for processes; return (exit code, stdout, stderr) of each. None stays behind."""
    try:
        told = [process.communicate(timeout=seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *each) for process, each in zip(processes, told, strict=True)]


def train_here(folder, changes, *, die_at=None, die_in=None, quiet=True):
    """Train a small network in this process, with its group where it has one."""
    import torch
    from torch import nn

    from msaf_bench import build
    from msaf_bench.catalog import read_conditions, read_table, systems_of
    from msaf_bench.data import open_split
    from msaf_bench.train.loop import train
    from msaf_bench.train.parallel import current

    torch.set_num_threads(1)
    conditions = read_conditions(
        "smoke", "street", {"steps": 12, "batch": 4, "checkpoint_every": 5, **changes}
    )
    system = systems_of(read_table("3"), conditions)["MSAF"]
    clips = open_split(conditions, "train")
    torch.manual_seed(0)
    # AdamW's steps hang on the sign of the smallest gradients: only doubles make curves comparable.
    net = build(system, len(clips.classes)).double()
    net.register_forward_pre_hook(lambda module, inputs: (inputs[0].double(),))
    for module in net.modules():
        if quiet and isinstance(module, nn.Dropout2d):
            module.p = 0.0

    def on_step(step, loss):
        if step == die_at and die_in is None:
            raise KeyboardInterrupt

    if die_in == current().rank:

        def killed(module, inputs):
            killed.calls += 1
            if killed.calls == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        killed.calls = 0
        net.register_forward_pre_hook(killed)
    trained = train(net, clips, conditions, 0, system=system, folder=folder, on_step=on_step)
    return net, trained


def normalise_here(clips):
    """Return what synchronised batch norm gives of this process's share of the clips."""
    import torch
    from torch import nn

    from msaf_bench.train.parallel import current
    from msaf_bench.train.sync_norm import synchronised

    torch.manual_seed(3)
    net = nn.Sequential(nn.BatchNorm2d(3, momentum=0.3)).double()
    nn.init.normal_(net[0].weight)
    x, weights = torch.randn(2, clips, 3, 5, 6, dtype=torch.float64)
    group = current()
    share = clips // group.size
    own = slice(group.rank * share, (group.rank + 1) * share)
    x = x[own].requires_grad_()
    with synchronised(net) if group.size > 1 else nullcontext():
        y = net(x)
        (y * weights[own]).sum().backward()
    gradients = group.sum(net[0].weight.grad), group.sum(net[0].bias.grad)
    return y.detach(), x.grad, gradients, net.state_dict()


if __name__ == "__main__":
    import torch

    from msaf_bench.train.parallel import joined

    folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    rank = os.environ["RANK"]
    with joined("cpu"):
        torch.save(normalise_here(4), folder / f"norm-{rank}.pt")
        net, trained = train_here(folder, **options)
    torch.save((net.state_dict(), trained.loss), folder / f"result-{rank}.pt")
