import pytest
import torch

from msaf_bench.architectures.grfp.stgru import STGRU


def slow_read(x, row, column):
    """x (C, H, W) at a fractional place, 0 outside."""
    out = torch.zeros(x.shape[0], dtype=x.dtype)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out += x[:, i, j] * max(0, 1 - abs(row - i)) * max(0, 1 - abs(column - j))
    return out


def slow_same(x, weight):
    """A convolution (D, C, k, k) of x (C, H, W) with zeros around, tap by tap."""
    d, _, k, _ = weight.shape
    _, h, w = x.shape
    out = torch.zeros(d, h, w, dtype=x.dtype)
    for i in range(h):
        for j in range(w):
            for u in range(k):
                for v in range(k):
                    row, column = i + u - k // 2, j + v - k // 2
                    if 0 <= row < h and 0 <= column < w:
                        out[:, i, j] += weight[:, :, u, v] @ x[:, row, column]
    return out


def slow_cell(cell, scores, image, past, reference, flow):
    """The equations of the official cell (card 12), a pixel at a time."""
    _, h, w = image.shape
    moved = torch.zeros(past.shape[0] + 3, h, w, dtype=past.dtype)
    both = torch.cat((past.softmax(0) - cell.prior, reference))
    for i in range(h):
        for j in range(w):
            moved[:, i, j] = slow_read(both, i + float(flow[1, i, j]), j + float(flow[0, i, j]))
    x = scores.softmax(0) - cell.prior
    r = 1 - torch.tanh((slow_same(image - moved[-3:], cell.error.weight) + cell.error.bias).abs())
    h_past = r * moved[:-3]
    z = torch.sigmoid(
        slow_same(x, cell.new_gate.weight)
        + slow_same(h_past, cell.past_gate.weight)
        + cell.gate_bias
    )
    return cell.decay * (1 - z) * h_past + z * (
        slow_same(x, cell.new.weight) + slow_same(h_past, cell.past.weight)
    )


@pytest.mark.slow
def test_the_cell_is_its_equations():
    torch.manual_seed(0)
    cell = STGRU(4, kernel=3, prior=1 / 19).double()
    with torch.no_grad():
        for p in cell.parameters():
            p.add_(0.1 * torch.randn_like(p))
    scores, past = 2 * torch.randn(2, 2, 4, 5, 6, dtype=torch.float64)
    image, reference = torch.rand(2, 2, 3, 5, 6, dtype=torch.float64)
    flow = 3 * torch.randn(2, 2, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        got = cell(scores, image, past, reference, flow)
        for i in range(2):
            torch.testing.assert_close(
                got[i], slow_cell(cell, scores[i], image[i], past[i], reference[i], flow[i])
            )


def official(golden, k=19):
    """The official cell as the golden cases filled it: its start, the noise by salts 1 to 5 in
    TensorFlow's order (h, w, in, out).
    """
    cell = STGRU(k, kernel=7, prior=1 / 19).double()
    noise = {"error": 0.001, "new": 0.01, "past": 0.01, "new_gate": 0.01, "past_gate": 0.01}
    with torch.no_grad():
        for salt, (name, deviation) in enumerate(noise.items(), start=1):
            weight = getattr(cell, name).weight
            o, i, h, w = weight.shape
            weight.copy_(
                deviation * golden.u(weight.numel(), salt).view(h, w, i, o).permute(3, 2, 0, 1)
            )
        for convolution in (cell.new, cell.past):
            convolution.weight[:, :, 3, 3] += 6 * torch.eye(k)
    return cell


def test_two_steps_are_the_official_cells(golden):
    """Salts of the inputs: 200 images, 300 flow, 400 scores, each + the frame's number; all with
    channels last, flow as (dy, dx).
    """

    def maps(channels, salt):
        return golden.u(channels * 24 * 40, salt).view(1, 24, 40, channels).permute(0, 3, 1, 2)

    cell, state = official(golden), 2 * maps(19, 400)
    with torch.no_grad():
        for t in (1, 2):
            image, reference = (127.5 * (1 + maps(3, 200 + i)) for i in (t, t - 1))
            state = cell(
                2 * maps(19, 400 + t), image, state, reference, 3 * maps(2, 300 + t).flip(1)
            )
            golden.check(f"grfp_stgru_step{t}", state.permute(0, 2, 3, 1))


def test_it_has_the_official_cells_parameters():
    sizes = {
        k: sum(p.numel() for p in STGRU(k, kernel=7, prior=1 / k).parameters()) for k in (19, 11)
    }
    assert sizes == {19: 37_408, 11: 13_096}


def test_at_the_start_a_confident_past_is_kept_where_nothing_moves():
    torch.manual_seed(0)
    cell = STGRU(4, kernel=7, prior=1 / 4)
    past = torch.zeros(1, 4, 12, 12)
    past[:, 2] = 5.0
    image = torch.full((1, 3, 12, 12), 128.0)
    still, unknown = torch.zeros(1, 2, 12, 12), torch.full((1, 2, 12, 12), 100.0)
    with torch.no_grad():
        kept = cell(torch.zeros_like(past), image, past, image, still)
        lost = cell(torch.zeros_like(past), image, past, image, unknown)
    assert (kept.argmax(1) == 2).all()
    assert lost.abs().max() == 0
