from __future__ import annotations

import torch
import torch.nn.functional as F

from ft_core.train.loss import count_targets, summed_loss, token_mean_loss

LABELS = torch.tensor([[7, -100, 3, 4], [-100, 5, -100, -100]])


def logits(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()


def test_the_first_token_is_no_target() -> None:
    assert count_targets(LABELS).item() == 3


def test_the_sum_is_torchs_cross_entropy_over_shifted_labels() -> None:
    ours, theirs = logits(), logits()
    expected = F.cross_entropy(theirs[:, :-1].reshape(-1, 9), LABELS[:, 1:].reshape(-1), reduction="sum")
    loss = summed_loss(ours, LABELS)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_loss_is_computed_in_fp32() -> None:
    assert summed_loss(logits(torch.bfloat16), LABELS).dtype == torch.float32


def test_rows_without_a_target_add_nothing_and_keep_a_gradient() -> None:
    ours = logits()
    loss = summed_loss(ours, torch.full((2, 4), -100))
    loss.backward()
    assert loss.item() == 0
    assert ours.grad is not None
    assert ours.grad.abs().sum().item() == 0


def test_the_divisor_is_the_whole_steps() -> None:
    assert token_mean_loss(torch.tensor(6.0), LABELS, torch.tensor(12)).item() == 0.5
