"""One whole step of adaptation, plainly, in the order of the released code."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.optim import SGD, Adam

from benchmarks.plain import losses
from benchmarks.plain.networks import PlainDeepLab
from benchmarks.plain.style import stylise
from pixda.data.domains import StepBatch
from pixda.models.discriminators import ImageDiscriminator, PixelDiscriminator


@dataclass
class PlainStep:
    """The three networks with their optimisers."""

    network: PlainDeepLab
    discriminator: PixelDiscriminator
    selection: ImageDiscriminator
    alpha: Tensor
    weight: float = 0.1
    beta: float = 0.01

    def __post_init__(self) -> None:
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimisers = [
            SGD(trained, 2.5e-4, momentum=0.9, weight_decay=5e-4),
            Adam(self.discriminator.parameters(), 1e-5, betas=(0.9, 0.99)),
            Adam(self.selection.parameters(), 1e-5, betas=(0.9, 0.99)),
        ]

    def __call__(self, pair: StepBatch) -> dict[str, float]:
        """One step of each network; the losses, read off the device at once."""
        source, target = pair.labelled_source(), pair.labelled_target()
        for optimiser in self.optimisers:
            optimiser.zero_grad()
        self._learning(False)
        styled = stylise(source.images, target.images, self.beta)
        _, source_logits = self.network(styled)
        on_source = losses.focal(source_logits, source.masks, 2.0, self.alpha)
        on_source.backward()

        _, target_logits = self.network(target.images)
        on_target = losses.focal(target_logits, target.masks, 2.0, self.alpha)
        verdict = self.discriminator(target_logits.softmax(1))
        adversarial = losses.pixadv(verdict, target_logits, target.masks)
        (on_target + self.weight * adversarial).backward()

        self._learning(True)
        read = {"source": on_source.item(), "target": on_target.item(), "adversarial": adversarial.item()}
        source_logits, target_logits = source_logits.detach(), target_logits.detach()
        for name, discriminator in (("discriminator", self.discriminator), ("selection_discriminator", self.selection)):
            of_source = losses.discriminator_half(discriminator(source_logits.softmax(1)), 0.0)
            of_source.backward()
            of_target = losses.discriminator_half(discriminator(target_logits.softmax(1)), 1.0)
            of_target.backward()
            read[name] = of_source.item() + of_target.item()
        for optimiser in self.optimisers:
            optimiser.step()
        return read

    def _learning(self, discriminators: bool) -> None:
        for parameter in nn.ModuleList([self.discriminator, self.selection]).parameters():
            parameter.requires_grad_(discriminators)
