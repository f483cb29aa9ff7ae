"""What one step of a phase descended, beside what autograd says of a written objective."""

import torch

from pixda.models.upsampling import upsample


def assert_descends(phase, objective, step, atol=1e-6):
    """``objective`` is called before ``step``; the first step of plain SGD must be its gradient and the decay."""
    return assert_all_descend([(phase.segmenter, objective)], step, atol)


def assert_all_descend(trainees, step, atol=1e-6):
    """The same of several networks that learn in one step: pairs of a trainee and its objective."""
    written = []
    for trainee, objective in trainees:
        parameters = [p for p in trainee.module.parameters() if p.requires_grad]
        slopes = torch.autograd.grad(objective(), parameters)
        rates = {id(p): group["lr"] for group in trainee._optimiser.param_groups for p in group["params"]}
        written += [(p, p.detach().clone(), s, rates[id(p)]) for p, s in zip(parameters, slopes, strict=True)]
    losses = step()
    for parameter, old, slope, rate in written:
        torch.testing.assert_close((old - parameter) / rate, slope + 5e-4 * old, rtol=1e-3, atol=atol)
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


def heads_of(phase, batch):
    """Log-probabilities of the main and of the auxiliary head at the labels' size, with their graph."""
    return [log_probs_of(logits, batch.masks) for logits in phase.segmenter.module(batch.images)]


def weights_of(module):
    """A copy of all that a network holds."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(before, module):
    """Whether it holds just that still."""
    return all(torch.equal(value, module.state_dict()[name]) for name, value in before.items())
