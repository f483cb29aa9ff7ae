"""Tiny configurations of Hugging Face models: a few thousand random parameters each, nothing to download."""

from pathlib import Path
from typing import Any

SEGFORMER: dict[str, Any] = {
    "model_type": "segformer",
    "depths": [1, 1, 1, 1],
    "hidden_sizes": [8, 8, 16, 16],
    "num_attention_heads": [1, 1, 2, 2],
    "decoder_hidden_size": 16,
}
UPERNET: dict[str, Any] = {
    "model_type": "upernet",
    "hidden_size": 16,
    "auxiliary_channels": 8,
    "backbone_config": {
        "model_type": "convnext",
        "depths": [1, 1, 1, 1],
        "hidden_sizes": [8, 8, 16, 16],
        "layer_scale_init_value": 1.0,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    },
}
SWIN: dict[str, Any] = UPERNET | {
    "backbone_config": {
        "model_type": "swin",
        "embed_dim": 8,
        "depths": [1, 1, 1, 1],
        "num_heads": [1, 1, 2, 2],
        "window_size": 2,
        "image_size": 64,
        "patch_size": 4,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    },
}
_VIT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 64,
    "patch_size": 8,
}
DPT: dict[str, Any] = _VIT | {
    "model_type": "dpt",
    "backbone_out_indices": [0, 1, 2, 3],
    "neck_hidden_sizes": [8, 8, 16, 16],
    "fusion_hidden_size": 16,
}
BEIT: dict[str, Any] = _VIT | {"model_type": "beit", "out_indices": [1, 2, 3, 4], "use_relative_position_bias": True}
MOBILEVIT: dict[str, Any] = {
    "model_type": "mobilevit",
    "hidden_sizes": [16, 24, 32],
    "neck_hidden_sizes": [8, 8, 16, 16, 16, 16, 32],
    "num_attention_heads": 2,
    "aspp_out_channels": 16,
    "atrous_rates": [1, 2, 3],
    # Enough for activations to reach the logits through batch norm that has seen nothing yet.
    "initializer_range": 0.3,
}
FAMILIES = {
    "segformer": SEGFORMER,
    "upernet-convnext": UPERNET,
    "upernet-swin": SWIN,
    "dpt": DPT,
    "beit": BEIT,
    "mobilevit": MOBILEVIT,
}


def save(folder: Path, config: dict[str, Any], labels: int = 5, **changes: Any) -> Path:
    """A model folder as the hub has them: config.json and model.safetensors."""
    from transformers import AutoConfig, AutoModelForSemanticSegmentation

    model = AutoModelForSemanticSegmentation.from_config(
        AutoConfig.for_model(**{**config, "num_labels": labels, **changes})
    )
    model.save_pretrained(folder)
    return folder
