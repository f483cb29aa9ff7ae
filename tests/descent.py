"""What one step of a phase descended, beside what autograd says of a written objective."""

import torch

from pixda.models.upsampling import upsample


def assert_descends(phase, objective, step):
    """``objective`` is called before ``step``; the first step of plain SGD must be its gradient and the decay."""
    parameters = [p for p in phase.segmenter.module.parameters() if p.requires_grad]
    expected = torch.autograd.grad(objective(), parameters)
    before = [p.detach().clone() for p in parameters]
    losses = step()
    rates = {id(p): group["lr"] for group in phase.segmenter._optimiser.param_groups for p in group["params"]}
    for parameter, old, slope in zip(parameters, before, expected, strict=True):
        torch.testing.assert_close((old - parameter) / rates[id(parameter)], slope + 5e-4 * old, rtol=1e-3, atol=1e-5)
    return losses


def gradients_of(trainee, step):
    """Every gradient that ``step`` gathers in the trainee's network, by parameter."""
    seen = {}
    for name, parameter in trainee.module.named_parameters():
        seen[name] = torch.zeros_like(parameter)
        parameter.register_hook(lambda slope, name=name: seen[name].add_(slope))
    step()
    return seen


def log_probs_of(logits, labels):
    """Log-probabilities ``B x C x H x W`` at the labels' size."""
    return upsample(logits, labels.shape[-2:]).log_softmax(1)
