"""Contrastive losses: telling which picture belongs to which text."""

from __future__ import annotations

import torch


def multi_positive_cross_entropy(logits: torch.Tensor, positive: torch.Tensor, ignore: torch.Tensor) -> torch.Tensor:
    """Cross-entropy where a row may have several right columns and some that do not count.

    The mean over the rows of ``-1/|P| * sum_p log softmax(row)[p]``: ``L_out`` of Khosla et al. 2020, "Supervised
    Contrastive Learning". Rows without a right column are left out.

    Parameters
    ----------
    logits : (n, m) float
    positive : (n, m) bool
        The right columns of each row.
    ignore : (n, m) bool
        Columns that are neither right nor wrong for a row; kept out of its softmax.
    """
    logits = logits.masked_fill(ignore, -torch.inf)
    log_probability = logits - logits.logsumexp(dim=1, keepdim=True)
    count = positive.sum(dim=1)
    # where() rather than a product: an ignored column is -inf, and 0 * -inf is nan
    per_row = -torch.where(positive, log_probability, 0.0).sum(dim=1) / count.clamp(min=1)
    return per_row.sum() / (count > 0).sum().clamp(min=1)


def symmetric_infonce(
    image: torch.Tensor,
    text: torch.Tensor,
    scale: torch.Tensor | float,
    positive: torch.Tensor | None = None,
    ignore: torch.Tensor | None = None,
) -> torch.Tensor:
    """CLIP's loss: each picture finds its text among all texts, each text its picture among all pictures.

    Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", figure 3, with
    room for several right answers.

    Parameters
    ----------
    image : (n, d) float
        Unit rows.
    text : (m, d) float
        Unit rows.
    scale : float
        What cosines are multiplied by: the inverse of the temperature.
    positive : (n, m) bool, optional
        Which text is right for which picture; the diagonal where absent.
    ignore : (n, m) bool, optional
        Pairs that are neither right nor wrong; none where absent.
    """
    logits = scale * image @ text.T
    if positive is None:
        positive = torch.eye(*logits.shape, dtype=torch.bool, device=logits.device)
    if ignore is None:
        ignore = torch.zeros_like(positive)
    rows = multi_positive_cross_entropy(logits, positive, ignore)
    columns = multi_positive_cross_entropy(logits.T, positive.T, ignore.T)
    return (rows + columns) / 2


def supervised_contrastive(
    vectors: torch.Tensor, scale: torch.Tensor | float, positive: torch.Tensor, ignore: torch.Tensor
) -> torch.Tensor:
    """Each vector finds the others of its kind among all others (Khosla et al. 2020).

    Parameters
    ----------
    vectors : (n, d) float
        Unit rows.
    scale : float
        The inverse of the temperature.
    positive, ignore : (n, n) bool
        As in `multi_positive_cross_entropy`; a vector's pair with itself never counts.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    return multi_positive_cross_entropy(scale * vectors @ vectors.T, positive & ~itself, ignore | itself)
