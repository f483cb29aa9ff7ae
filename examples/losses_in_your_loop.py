"""PixAdv in a loop of your own, on random images: ``python examples/losses_in_your_loop.py``.

The segmenter minimises ``L_seg(source) + L_seg(target) + lambda L_PixAdv(target)`` and the discriminator tells the
domains apart (PixDA, eq. 2 and 3); put your own network and batches in.
"""

import torch
from torch import nn

from pixda.losses.adversarial import difficulty, discriminator_loss, pixadv_loss, rarity
from pixda.losses.segmentation import focal
from pixda.models import PixelDiscriminator
from pixda.style import stylise

CLASSES, LAMBDA = 5, 0.1

torch.manual_seed(0)
segmenter = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, CLASSES, 1))
discriminator = PixelDiscriminator(CLASSES)  # softmax map B x C x H x W -> logits B x 1 x H x W of "is target"
learn = torch.optim.SGD(segmenter.parameters(), 1e-3)
tell = torch.optim.Adam(discriminator.parameters(), 1e-3)
alpha = torch.full((CLASSES,), 0.25)

for step in range(5):
    source, target = (torch.rand(2, 3, 64, 96) * 255 for _ in range(2))  # RGB, 0..255
    source_labels, target_labels = (torch.randint(0, CLASSES, (2, 64, 96)) for _ in range(2))  # 255 would be ignored
    styled = stylise(source, target, beta=0.01)  # the source in the target's colours and light

    source_logits, target_logits = segmenter(styled / 255), segmenter(target / 255)
    segmentation = focal(source_logits, source_labels, 2.0, alpha) + focal(target_logits, target_labels, 2.0, alpha)
    # How badly a pixel is classified, and how rare its class is in the image; neither carries a gradient in the paper.
    weights = difficulty(target_logits, target_labels).detach() * rarity(target_labels)
    adversarial = pixadv_loss(discriminator(target_logits.softmax(1)), weights)
    learn.zero_grad()
    (segmentation + LAMBDA * adversarial).backward()
    learn.step()

    maps = [logits.detach().softmax(1) for logits in (source_logits, target_logits)]
    loss = discriminator_loss(*(discriminator(one) for one in maps))
    tell.zero_grad()
    loss.backward()
    tell.step()
    print(f"step {step}: segmentation {segmentation:.3f}, PixAdv {adversarial:.3f}, discriminator {loss:.3f}")
