"""The contrastive losses equal what slow, obvious loops compute."""

import math

import pytest

torch = pytest.importorskip("torch")

from mmrag_nb.training.losses import multi_positive_cross_entropy, supervised_contrastive, symmetric_infonce  # noqa: E402


def unit_rows(count, width, seed):
    return torch.nn.functional.normalize(
        torch.randn(count, width, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def slow_cross_entropy(logits, positive, ignore):
    rows = []
    for i in range(len(logits)):
        right = [j for j in range(len(logits[i])) if positive[i][j]]
        counted = [j for j in range(len(logits[i])) if not ignore[i][j]]
        if not right:
            continue
        total = sum(math.exp(logits[i][j]) for j in counted)
        rows.append(-sum(math.log(math.exp(logits[i][j]) / total) for j in right) / len(right))
    return sum(rows) / len(rows)


def test_several_right_answers_and_ignored_ones():
    logits = torch.randn(6, 7, generator=torch.Generator().manual_seed(1)) * 3
    positive = torch.zeros(6, 7, dtype=torch.bool)
    positive[range(5), range(5)] = True
    positive[0, 3] = positive[2, 6] = True
    ignore = torch.zeros_like(positive)
    ignore[0, 1] = ignore[4, 5] = ignore[5, 0] = True
    slow = slow_cross_entropy(logits.tolist(), positive.tolist(), ignore.tolist())
    assert multi_positive_cross_entropy(logits, positive, ignore).item() == pytest.approx(slow, rel=1e-5)


def test_rows_without_a_right_answer_add_nothing():
    logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(2))
    positive = torch.zeros(3, 3, dtype=torch.bool)
    nothing = torch.zeros_like(positive)
    assert multi_positive_cross_entropy(logits, positive, nothing).item() == 0.0


def test_symmetric_infonce_is_the_mean_of_both_directions():
    image, text = unit_rows(5, 8, 3), unit_rows(5, 8, 4)
    eye, nothing = torch.eye(5, dtype=torch.bool).tolist(), torch.zeros(5, 5, dtype=torch.bool).tolist()
    logits = [[7.0 * sum(a * b for a, b in zip(i, t, strict=True)) for t in text.tolist()] for i in image.tolist()]
    turned = [list(column) for column in zip(*logits, strict=True)]
    slow = (slow_cross_entropy(logits, eye, nothing) + slow_cross_entropy(turned, eye, nothing)) / 2
    assert symmetric_infonce(image, text, 7.0).item() == pytest.approx(slow, rel=1e-5)


def test_symmetric_infonce_without_more_is_cross_entropy_on_the_diagonal():
    image, text = unit_rows(9, 4, 5), unit_rows(9, 4, 6)
    logits, right = 20 * image @ text.T, torch.arange(9)
    cross_entropy = torch.nn.functional.cross_entropy
    expected = (cross_entropy(logits, right) + cross_entropy(logits.T, right)) / 2
    assert symmetric_infonce(image, text, 20.0).item() == pytest.approx(expected.item(), rel=1e-5)


def test_supervised_contrastive_leaves_each_vector_itself_out():
    vectors = unit_rows(6, 5, 7)
    kind = [0, 0, 1, 1, 2, 2]
    same = torch.tensor([[a == b for b in kind] for a in kind])
    ignore = torch.zeros(6, 6, dtype=torch.bool)
    ignore[0, 2] = ignore[2, 0] = True
    logits = [[5.0 * sum(x * y for x, y in zip(a, b, strict=True)) for b in vectors.tolist()] for a in vectors.tolist()]
    itself = torch.eye(6, dtype=torch.bool)
    slow = slow_cross_entropy(logits, (same & ~itself).tolist(), (ignore | itself).tolist())
    assert supervised_contrastive(vectors, 5.0, same, ignore).item() == pytest.approx(slow, rel=1e-5)


def test_ignored_pairs_get_no_gradient():
    image, text = unit_rows(4, 6, 8).requires_grad_(), unit_rows(4, 6, 9)
    ignore = torch.zeros(4, 4, dtype=torch.bool)
    ignore[:3, 3] = True  # only row 3 may look at text 3
    ignore[3, :3] = True
    symmetric_infonce(image, text, 10.0, ignore=ignore).backward()
    assert torch.isfinite(image.grad).all()
    assert image.grad[3].abs().max() == 0  # picture 3 and text 3 have no competitors: nothing to learn
    assert image.grad[:3].abs().max() > 0
