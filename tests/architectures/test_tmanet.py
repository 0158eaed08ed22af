import pytest
import torch
from torch.nn import functional

from msaf_bench import build
from msaf_bench.analyzers.cost.system import system_cost
from msaf_bench.architectures import tmanet
from msaf_bench.catalog import read_system, read_table
from msaf_bench.errors import UsageError

CITYSCAPES = read_system("tmanet-r50")
CAMVID = CITYSCAPES.swap(options=(("past", 4), ("corners", False)))
SMALL = CITYSCAPES.swap(
    (("backbone", {"use": "resnet10", "width": 4}), ("head", {"use": "fcn", "width": 8})),
    (("past", 3), ("keys", 4), ("values", 8)),
)


@pytest.mark.slow
def test_it_is_the_official_network(golden):
    net = golden.fill(build(CITYSCAPES, 19))
    clip = torch.stack([golden.frame(i, 97, 129) for i in (1, 2, 0)], 1)
    with torch.inference_mode():
        golden.check("tmanet_r50_cityscapes", net(clip).logits)


@pytest.mark.parametrize(
    ("system", "classes", "params", "auxiliary"),
    [(CITYSCAPES, 19, 29_747_315, 2_364_691), (CAMVID, 12, 32_310_380, 2_362_892)],
)
def test_published_parameters(system, classes, params, auxiliary):
    with torch.device("meta"):
        net = build(system, classes)
    assert sum(p.numel() for p in net.auxiliary.parameters()) == auxiliary
    assert sum(p.numel() for p in net.parameters()) == params + auxiliary


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "classes", "size", "mode", "gflops"),
    [
        (CITYSCAPES, 19, (769, 769), "clip", 1620.3),
        (CITYSCAPES, 19, (769, 769), "stream", 693.6),
        (CITYSCAPES, 19, (512, 1024), "clip", 1398.8),
        (CITYSCAPES, 19, (1024, 2048), "clip", 6625.9),
        (CAMVID, 12, (640, 640), "clip", 1794.1),
        (CAMVID, 12, (640, 640), "stream", 532.6),
        (CAMVID, 12, (720, 960), "clip", 3149.2),
        (CAMVID, 12, (720, 960), "stream", 1020.4),
    ],
)
def test_published_cost(system, classes, size, mode, gflops):
    """Attention is counted in the published numbers too, so they agree to the last digit that was
    printed.
    """
    assert 2e-9 * system_cost(system, classes, size, mode=mode).total_macs == pytest.approx(
        gflops, abs=0.06
    )


def test_recall_is_unscaled_attention_whatever_the_chunks(monkeypatch):
    torch.manual_seed(0)
    query, keys, values = (
        torch.randn(2, n, c, dtype=torch.float64) for n, c in ((7, 3), (14, 3), (14, 5))
    )
    expected = torch.stack(
        [torch.softmax(q @ k.T, 1) @ v for q, k, v in zip(query, keys, values, strict=True)]
    )
    for at_once in (1, 2 * 14 * 2, 1 << 26):
        monkeypatch.setattr(tmanet, "LOGITS_AT_ONCE", at_once)
        torch.testing.assert_close(tmanet.recall(query, keys, values), expected)


def test_each_age_has_its_own_encoder_the_oldest_the_first():
    torch.manual_seed(0)
    net = build(SMALL, 5).eval()
    clip = torch.randn(1, 6, 3, 24, 40)
    read = {}
    for i, encode in enumerate(net.memory):
        encode.register_forward_hook(lambda _module, args, _out, i=i: read.__setitem__(i, args[0]))
    stream = net.stream()
    with torch.inference_mode():
        features = net.backbone(clip[0]).f5
        for run in (lambda: net(clip), lambda: [stream.step(frame) for frame in clip.unbind(1)]):
            run()
            for i in range(3):
                torch.testing.assert_close(read[i], features[None, i + 2])


@pytest.mark.parametrize("corners", [True, False])
def test_logits_are_enlarged_as_published(corners):
    """The result, and in the loss the auxiliary head's too."""
    torch.manual_seed(0)
    net = build(SMALL.swap(options=(("corners", corners),)), 5)
    coarse = {}
    for name in ("head", "auxiliary"):
        net.get_submodule(name).register_forward_hook(
            lambda _module, _args, out, name=name: coarse.__setitem__(name, out)
        )
    labels = torch.randint(5, (2, 24, 40))
    with torch.no_grad():
        out = net(torch.randn(2, 4, 3, 24, 40))
        loss = net.loss(out, labels)
    large = {
        name: functional.interpolate(x, (24, 40), mode="bilinear", align_corners=corners)
        for name, x in coarse.items()
    }
    torch.testing.assert_close(out.logits, large["head"])
    expected = functional.cross_entropy(large["head"], labels) + 0.4 * functional.cross_entropy(
        large["auxiliary"], labels
    )
    torch.testing.assert_close(loss, expected)


def test_table_2_has_the_network_published_for_camvid():
    (row,) = (row for _, row in read_table("table2").rows if row.system == "tmanet-r50")
    assert dict(row.options) == {"past": 4, "corners": False}


def test_bad_requests_are_named():
    with pytest.raises(UsageError, match="past = 0"):
        build(SMALL.swap(options=(("past", 0),)), 5)
    with pytest.raises(UsageError, match="reads 4 frames"):
        build(SMALL, 5)(torch.randn(1, 3, 3, 24, 40))
