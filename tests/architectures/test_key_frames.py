import pytest
import torch

from msaf_bench.architectures.lvs.key_frames import Fixed, Propagation, Scheduler, vary


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_spatially_variant_convolution_is_a_weighted_sum_around_each_place():
    x, kernels = randn(2, 3, 4, 6), randn(2, 25, 4, 6, seed=1)
    got = vary(x, kernels)
    for row in range(4):
        for column in range(6):
            total = torch.zeros(2, 3, dtype=torch.float64)
            for i in range(25):
                y, x_ = min(max(row + i // 5 - 2, 0), 3), min(max(column + i % 5 - 2, 0), 5)
                total += kernels[:, i, row, column, None] * x[:, :, y, x_]
            torch.testing.assert_close(got[:, :, row, column], total)


def test_a_kernel_of_one_place_shifts_the_map():
    x, kernels = randn(1, 2, 5, 7), torch.zeros(1, 81, 5, 7, dtype=torch.float64)
    kernels[:, 9 * (4 - 1) + (4 + 2)] = 1  # one row up, two columns to the right
    torch.testing.assert_close(vary(x, kernels)[:, :, 1:, :-2], x[:, :, :-1, 2:], rtol=0, atol=0)


def test_propagation_mixes_what_is_carried_with_what_the_frame_shows():
    carry = Propagation(6, 5, width=4, size=3).double().eval()
    features, key_low, low = randn(2, 5, 4, 6), randn(2, 6, 4, 6, seed=1), randn(2, 6, 4, 6, seed=2)
    weights = carry.kernels(torch.cat((carry.reduce(key_low), carry.reduce(low)), 1)).exp()
    carried = vary(features, weights / weights.sum(1, keepdim=True))
    torch.testing.assert_close(
        carry(features, carry.reduce(key_low), low),
        carry.fuse(torch.cat((carried, carry.adapt(low)), 1)),
    )


def test_an_untrained_scheduler_stays_below_the_threshold_and_a_trained_one_is_a_fraction():
    scheduler = Scheduler(6, 4).double()
    newest, key = (scheduler.reduce(100 * randn(3, 6, 4, 6, seed=i)) for i in (1, 2))
    assert (scheduler(newest, key) < 0.3).all()
    torch.nn.init.normal_(scheduler.last.weight)
    got = scheduler(newest, key)
    assert ((got > 0) & (got < 1)).all()
    assert got.unique().numel() == 3
    for i in range(3):  # none depends on its batch mates
        torch.testing.assert_close(scheduler(newest[i : i + 1], key[i : i + 1]), got[i : i + 1])
    assert (Fixed(6, 4)(newest, key) == 0).all()


@pytest.mark.parametrize(
    ("part", "millions"), [("kernels", 3.56), ("adapt", 3.54), ("scheduler", 2.95)]
)
def test_the_sizes_on_the_literal_low_features(part, millions):
    with torch.device("meta"):
        carry, scheduler = Propagation(1024, 512, 256, 9), Scheduler(1024, 256)
    modules = {
        "kernels": (carry.reduce, carry.kernels),
        "adapt": (carry.adapt,),
        "scheduler": (scheduler,),
    }[part]
    assert sum(p.numel() for module in modules for p in module.parameters()) == pytest.approx(
        millions * 1e6, rel=0.002
    )
