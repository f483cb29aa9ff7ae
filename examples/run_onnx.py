"""Segment one image with an exported model; needs onnxruntime, Pillow and NumPy, and nothing of PixDA.

python examples/run_onnx.py model.onnx photo.jpg colours.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

model, photo, out = sys.argv[1:]
session = onnxruntime.InferenceSession(model)
about = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}

image = ImageOps.exif_transpose(Image.open(photo)).convert("RGB")  # upright, as the camera says
small = image.resize(about["size"], Image.Resampling.BICUBIC)  # the size that the network was trained at
pixels = np.asarray(small).transpose(2, 0, 1)[None]  # uint8, 1 x 3 x H x W, RGB
classes = session.run(["classes"], {"image": np.ascontiguousarray(pixels)})[0][0]

mask = Image.fromarray(classes).resize(image.size, Image.Resampling.NEAREST)
counts = np.bincount(np.asarray(mask).ravel(), minlength=len(about["classes"]))
for name, share in zip(about["classes"], counts / counts.sum(), strict=True):
    if share:
        print(f"{name:20} {100 * share:5.1f} %")
mask.putpalette([value for colour in about["colours"] for value in colour])
mask.save(out)
