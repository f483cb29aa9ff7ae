"""Predictions at the ground truth's size, a few lines at a time."""

import pytest
import torch
import torch.nn.functional as F

from pixda.evaluation import likeliest


@pytest.mark.parametrize("size", [(37, 50), (64, 129), (9, 17), (5, 4), (1, 3), (20, 1)])
@pytest.mark.parametrize("coarse", [(9, 17), (1, 4), (3, 1)])
def test_the_class_is_that_of_the_highest_upsampled_logit(coarse, size):
    logits = torch.randn(1, 7, *coarse, generator=torch.Generator().manual_seed(0))
    raised = F.interpolate(logits.double(), size, mode="bilinear", align_corners=True)[0]
    found = likeliest(logits, size)
    assert found.shape == size
    assert found.dtype == torch.uint8
    short = raised.amax(0) - raised.gather(0, found.long()[None])[0]
    assert short.max() < 1e-5, "another class is higher than float32 can explain"


def test_of_equal_classes_it_is_the_first():
    assert (likeliest(torch.zeros(1, 5, 2, 3), (8, 9)) == 0).all()
