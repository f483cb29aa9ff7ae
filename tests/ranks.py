"""Functions that run in several processes at once, joined as torchrun joins them, with gloo on the CPU."""

import os
import signal
import socket
from pathlib import Path

import torch
import torch.multiprocessing as multiprocessing
from torch import nn

from making import CE, make
from pixda.data.classes import ClassSet
from pixda.data.domains import Domains
from pixda.data.folder import Folder
from pixda.machine import distributed
from pixda.models.deeplab import ResNet
from pixda.models.layers import BatchNorm, SynchronisedBatchNorm, synchronise
from pixda.models.mobilenet import MobileNetV2
from pixda.models.segmenter import Middle, Segmenter
from pixda.phases.adversarial import Adversarial
from pixda.phases.distillation import Distillation
from pixda.phases.fourier import Fourier
from pixda.phases.image_adversarial import ImageAdversarial
from pixda.phases.pairing import Pairing
from pixda.phases.phase import Context
from pixda.phases.settings import Alignment, WeightingSettings
from pixda.phases.supervised import Supervised
from pixda.phases.weighting import Weighting
from pixda.training.stopping import Stop

SIZE = (64, 48)
BATCH = 4


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def environment(rank, world, port):
    """What torchrun sets."""
    return {
        "TORCHELASTIC_RUN_ID": "test",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def in_processes(world, function, folder, *arguments):
    """What ``function(fabric, *arguments)`` gives in each process; tensors, and plain values with them."""
    multiprocessing.spawn(_child, (world, free_port(), function, folder, arguments), nprocs=world)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(world)]


def _child(rank, world, port, function, folder, arguments):
    torch.set_num_threads(1)
    os.environ |= environment(rank, world, port)
    fabric = distributed.start("cpu", "32-true", 1)
    assert (fabric.world_size, fabric.global_rank) == (world, rank)
    torch.save(function(fabric, *arguments), Path(folder) / f"{rank}.pt")


class Mute:
    """A reporter that nobody reads."""

    def __getattr__(self, name):
        return lambda *_: None


def phases():
    """A phase of every kind, with the terms of all of its options."""
    given = {
        Supervised: {"style_beta": 0.01},
        Adversarial: {"loss": CE, "alignment": Alignment(difficulty_in_graph=True, weight=1.0)},
        Distillation: {"loss": CE},
        ImageAdversarial: {"maps": "self_information"},
        Pairing: {},
        Weighting: {"weighting": WeightingSettings(normalise=True, adversarial=0.7, discriminators_at="image")},
        Fourier: {"loss": CE, "bands": (0.03, 0.1), "entropy_weight": 0.5, "target_labels": True},
    }
    made = [make(kind, batch=BATCH, **changes) for kind, changes in given.items()]
    return {phase.name: phase for phase in made}


def open_domains(root, rank, world):
    classes = ClassSet.load("cityscapes-19")

    def opened(name, split="all", **more):
        return Folder(root / name, split, classes, SIZE, scheme="cityscapes", **more)

    return Domains(
        opened("source"),
        opened("target", "train"),
        0,
        torch.device("cpu"),
        flip=True,
        rank=rank,
        world=world,
        unlabelled=opened("more", labelled=False),
        more_sources=[opened("junk"), opened("junk")],  # three sources in a batch of four: uneven parts
    )


def with_holes(batch, rank, world):
    """Unequal numbers of labelled pixels, none in the first image, however many processes share the batch."""
    masks = batch.masks.clone()
    for place in range(len(masks)):
        row = place * world + rank
        masks[place, :, : 64 - 16 * row] = 255
    return batch._replace(masks=masks)


class Normed(Segmenter):
    """Convolutions with batch normalisation between them."""

    def __init__(self, classes):
        layers = [nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.SiLU()]
        layers += [nn.Conv2d(16, 16, 3, stride=2, padding=1, bias=False), BatchNorm(16), nn.SiLU()]
        super().__init__(nn.Sequential(*layers), nn.Conv2d(16, len(classes.names), 1), classes, "symmetric")

    def middle(self):
        return Middle(self.backbone, 16, (1,))


def first_steps(fabric, root, only=None, statistics="synchronised"):
    """Losses, gradients that the optimisers were given, and running statistics, of one step of every phase."""
    rank, world = fabric.global_rank, fabric.world_size
    domains = open_domains(root, rank, world)
    found = {}
    for name, phase in phases().items():
        if only not in (None, name):
            continue
        torch.manual_seed(0)
        segmenter = Normed(ClassSet.load("cityscapes-19")).eval()  # as the checks before training leave it
        if world > 1 and statistics == "synchronised":
            synchronise(segmenter, fabric.device)
        context = Context(fabric, domains, segmenter, Mute())
        phase.prepare(context, None)
        pair = next(phase.batches(0, 1))
        pair = pair._replace(
            **{
                side: with_holes(batch, rank, world)
                for side in ("source", "target")
                if (batch := getattr(pair, side)) is not None
            }
        )
        gradients = {}
        for of, trainee in phase.trainees().items():
            named = {id(p): f"{of}.{key}" for key, p in trainee.module.named_parameters()}

            def keep(optimiser, *_, named=named, gradients=gradients):
                for group in optimiser.param_groups:
                    gradients.update({named[id(p)]: p.grad.clone() for p in group["params"] if p.grad is not None})

            trainee._optimiser.optimizer.register_step_pre_hook(keep)
        losses = phase.step(pair)
        running = {key: value for key, value in context.segmenter.state_dict().items() if "running" in key}
        found[name] = {"losses": losses, "gradients": gradients, "running": running}
    return found


def steps_and_statistics(fabric, root):
    """The first steps; one with batch statistics that each process takes for itself; networks whose norms share."""
    own = first_steps(fabric, root, "joint", "own")["joint"]
    found = {"steps": first_steps(fabric, root), "own": own, "backbones": passes_of_backbones(fabric)}
    return found | {"stop": ctrl_c_one_after_the_other(fabric)}


def ctrl_c_one_after_the_other(fabric):
    """What each was asked once the first process alone was, and how often Ctrl-C must come until it stops at once."""
    with Stop() as stop:
        if fabric.is_global_zero:
            os.kill(os.getpid(), signal.SIGINT)
        stop.agree(fabric)
        asked, times = stop.asked, int(fabric.is_global_zero)
        try:
            while times < 3:
                times += 1
                os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            return asked, times
    return asked, None


def passes_of_backbones(fabric):
    """Gradients and statistics of one step of the backbones that handle their norms in ways of their own."""
    found = {}
    for name, build in {"resnet": lambda: ResNet((1, 1, 1, 1), width=4), "mobilenet": MobileNetV2}.items():
        torch.manual_seed(0)
        network, images = build().double().train(), torch.randn(4, 3, 33, 33, dtype=torch.float64)
        if fabric.world_size > 1:
            synchronise(network, fabric.device)
        features = network(images[fabric.global_rank :: fabric.world_size])
        features = features if isinstance(features, tuple) else (features,)
        sum(part.square().sum() for part in features).backward()
        learnt = {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
        found[name] = {key: distributed.total(fabric, gradient) for key, gradient in learnt.items()}
        found[name] |= network.named_buffers()
    return found


def normalised(fabric, images, slopes):
    """A layer's output, the gradient of its input and its statistics, on this process's rows in float64."""
    layer = nn.BatchNorm2d(images.shape[1]).double()
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(1))
    if fabric.world_size > 1:
        holder = nn.Sequential(layer)
        synchronise(holder, fabric.device)
        layer = holder[0]
        assert isinstance(layer, SynchronisedBatchNorm)
    mine = images[fabric.global_rank :: fabric.world_size].clone().requires_grad_()
    made = layer(mine)
    made.backward(slopes[fabric.global_rank :: fabric.world_size])
    of_parameters = torch.stack([layer.weight.grad, layer.bias.grad])
    return {
        "made": made.detach(),
        "slope": mine.grad,
        "parameters": distributed.total(fabric, of_parameters),
        "running": torch.stack([layer.running_mean, layer.running_var]),
    }
