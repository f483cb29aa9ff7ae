"""The datasets' own names of their label ids, so that a class set may say "traffic light" instead of 19."""

_CITYSCAPES = (
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "road",
    "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel", "pole",
    "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider", "car", "truck",
    "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip

LABEL_NAMES: dict[str, tuple[str, ...]] = {
    "cityscapes": _CITYSCAPES,
    "gta5": (*_CITYSCAPES, "license plate"),
    "synthia": (
        "void", "sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "traffic sign",
        "pedestrian", "bicycle", "motorcycle", "parking", "road work", "traffic light", "terrain", "rider", "truck",
        "bus", "train", "wall", "lane marking",
    ),
    "idda": (
        "none", "building", "fence", "other", "pedestrian", "pole", "road line", "road", "sidewalk", "vegetation",
        "vehicles", "wall", "traffic sign", "traffic light", "guard rail", "dynamic", "bicycle", "motorcycle",
        "rider", "terrain", "sky", "rail track", "ground", "static",
    ),
    "carla": (
        "none", "building", "fence", "other", "pedestrian", "pole", "road line", "road", "sidewalk", "vegetation",
        "vehicle", "wall", "traffic sign",
    ),
    "carla29": (
        "unlabeled", "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign",
        "vegetation", "terrain", "sky", "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
        "static", "dynamic", "other", "water", "road line", "ground", "bridge", "rail track", "guard rail",
    ),
    "camvid": (
        "sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian",
        "bicyclist", "void",
    ),
}  # fmt: skip
"""Label scheme to the names of its ids 0, 1, 2, ..., in lower case."""
