import torch

from msaf_bench.components.assign import (
    MeanOfMasks,
    SemanticAssignment,
    partition,
    region_descriptors,
)


def test_region_descriptors_are_weighted_means():
    torch.manual_seed(0)
    weights, features = (
        torch.randn(2, 3, 4, 5, dtype=torch.float64),
        torch.randn(2, 6, 4, 5, dtype=torch.float64),
    )
    slow = torch.zeros(2, 3, 6, dtype=torch.float64)
    for b in range(2):
        for k in range(3):
            for i in range(4):
                for j in range(5):
                    slow[b, k] += weights[b, k, i, j] * features[b, :, i, j] / 20
    torch.testing.assert_close(region_descriptors(weights, features), slow)


def test_partition_chooses_the_smallest_cosine_distance():
    """Eq. 13: the argmax of the product is the argmin of 1 - cos."""
    torch.manual_seed(0)
    pixels, regions = (
        torch.randn(1, 6, 4, 5, dtype=torch.float64),
        torch.randn(1, 3, 6, dtype=torch.float64),
    )
    chosen = partition(pixels, regions).argmax(1)
    for i in range(4):
        for j in range(5):
            pixel = pixels[0, :, i, j]
            distance = [1 - (pixel @ r) / (pixel.norm() * r.norm()) for r in regions[0]]
            assert chosen[0, i, j] == torch.stack(distance).argmin()


def test_softmax_weights_and_normalised_pixels_are_options():
    torch.manual_seed(0)
    dynamic, static = torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    plain = SemanticAssignment(8, 3).eval()
    other = SemanticAssignment(8, 3, weights="softmax", normalize_pixels=True, scale=2.0).eval()
    other.load_state_dict(plain.state_dict())
    assert not torch.allclose(plain(dynamic, static).logits, other(dynamic, static).logits)
    assert other(dynamic, static).logits.abs().max() <= 2.0 + 1e-6


def test_the_mean_of_masks_is_one():
    torch.manual_seed(0)
    dynamic, static = torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    logits, aux = MeanOfMasks(8, 3)(dynamic, static)
    torch.testing.assert_close(logits, (aux["pixel"] + aux["region"]) / 2)
    logits, aux = MeanOfMasks(8, 3, of="softmax")(dynamic, static)
    torch.testing.assert_close(
        logits.exp(), (aux["pixel"].softmax(1) + aux["region"].softmax(1)) / 2
    )


def test_spatial_weights_make_a_region_a_mean_over_its_places():
    torch.manual_seed(0)
    assign = SemanticAssignment(8, 3, weights="spatial").eval()
    region = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(assign.weights(region).sum((2, 3)), torch.ones(2, 3))


def test_a_learned_scale_is_a_parameter_and_features_can_be_the_pixels():
    torch.manual_seed(0)
    dynamic, static = torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    assign = SemanticAssignment(8, 3, scale=0.0, pixels="features").eval()
    assert "scale" in dict(assign.named_parameters())
    logits, aux = assign(dynamic, static)
    torch.testing.assert_close(
        logits, 10 * partition(static, region_descriptors(aux["region"], dynamic))
    )
