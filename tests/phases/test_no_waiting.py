"""On a GPU the host only queues work: nothing in a step may read a value back, or each step waits for the device."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from making import make
from pixda.phases.adversarial import Adversarial
from pixda.phases.self_training import MeanTeacher
from pixda.phases.settings import Alignment, Selection, Teaching
from pixda.phases.supervised import Supervised

READING = {
    torch.ops.aten._local_scalar_dense.default,  # .item(), float(), bool() of a tensor
    torch.ops.aten.nonzero.default,
    torch.ops.aten.masked_select.default,
    torch.ops.aten._unique2.default,
    torch.ops.aten.bincount.default,
}


class NothingRead(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func not in READING, f"{func} waits for the device"
        if func is torch.ops.aten.index.Tensor:
            assert not any(one is not None and one.dtype == torch.bool for one in args[1]), "a mask as an index waits"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        # The judge needs maps of 32 pixels or more, which the logits of so small an image are not.
        (Adversarial, {"alignment": Alignment(discriminators_at="logits"), "selection": Selection(enabled=False)}),
        (Adversarial, {"alignment": Alignment(discriminators_at="image")}),
        (Supervised, {"style_beta": 0.01}),
        # How strongly colours change is drawn on the host and read there.
        (MeanTeacher, {"teaching": Teaching(hidden=0.5, colour=0.0)}),
    ],
)
def test_a_step_reads_nothing_back(context, trio, kind, settings, monkeypatch):
    context.domains.seed = 0
    phase = make(kind, context, **settings)
    for trainee in phase.trainees().values():
        # Adam keeps its count of steps on the host, and reads it there.
        monkeypatch.setattr(trainee._optimiser, "step", lambda *_: None)
    with NothingRead():
        losses = phase.step(trio)
    assert all(value.isfinite() for value in losses.values())


def test_the_watch_sees_a_value_that_is_read():
    with NothingRead(), pytest.raises(AssertionError, match="waits for the device"):
        float(torch.ones(1).sum())
