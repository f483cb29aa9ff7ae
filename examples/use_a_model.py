"""A trained model in plain PyTorch, and as ONNX: ``python examples/use_a_model.py RUN IMAGE``."""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pixda.api import load
from pixda.models.saved import load_model


def main(run: Path, picture: Path) -> None:
    # With PixDA around it: any size in, class indices at the picture's own size out.
    model = load(run)
    predicted = model.predict(picture)
    names = model.classes.names
    shares = np.bincount(predicted.ravel(), minlength=len(names)) / predicted.size
    print("predicted:", ", ".join(f"{names[index]} {shares[index]:.0%}" for index in shares.argsort()[::-1][:3]))

    # Without: an nn.Module from RGB 0..255 to logits at its own stride; it normalises by itself.
    segmenter = load_model(run)[0].eval()
    image = torch.from_numpy(np.array(Image.open(picture).convert("RGB"))).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        logits = segmenter(image)
    print(f"logits {tuple(logits.shape)} of an image {tuple(image.shape)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"For other programs: pixda export {sys.argv[1]} --out model.onnx")
