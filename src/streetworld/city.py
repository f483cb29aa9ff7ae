"""A city and its habits: street widths, façades, planting, weather, surfaces. Frames come in cities."""

from dataclasses import dataclass

import numpy as np

from streetworld.basics import DOMAINS, Array, Domain, linear, stream

# Display colours; the camera domain greys them.
BRICKS = [(132, 78, 60), (150, 104, 74), (168, 140, 102), (110, 70, 62), (178, 160, 128), (120, 96, 80)]
PLASTERS = [(214, 206, 188), (232, 228, 220), (196, 180, 150), (206, 190, 160), (176, 186, 190), (222, 200, 150)]
BRIGHT = [(190, 96, 70), (96, 130, 150), (120, 150, 110), (216, 176, 90), (180, 120, 130), (120, 110, 150)]
STONES = [(158, 150, 134), (140, 134, 124), (176, 166, 146), (120, 116, 110), (190, 182, 166)]
MODERN = [(150, 154, 158), (110, 114, 120), (190, 192, 192), (130, 120, 108), (84, 90, 98), (206, 200, 190)]
LEAVES = [(70, 96, 40), (88, 110, 50), (58, 84, 44), (106, 116, 54), (52, 72, 40)]
AUTUMN = [(150, 104, 40), (136, 74, 36), (164, 130, 52), (116, 98, 48)]


@dataclass(frozen=True)
class City:
    """What the frames of one city have in common."""

    palette: dict[str, list[Array]]  # façade material -> linear colours
    leaves: list[Array]
    autumn: float  # share of trees in autumn colours
    bare: float  # share of broad-leaved trees without leaves
    trees: float  # street trees a metre and side, relative
    weather: dict[str, float]
    sun_height: tuple[float, float]  # degrees
    road: Array
    pavement: Array
    paving: str  # "slabs", "bricks", "plain"
    kerb: Array
    road_width: tuple[float, float]
    sidewalk_width: tuple[float, float]
    drives_left: bool
    stretches: dict[str, float]  # kind of street front -> share
    yellow_lines: float
    tram: float
    garden: dict[str, float]  # what bounds a front garden
    bonnet: bool  # the own car's bonnet is in the picture
    grime: float


def _greyed(colours: list[tuple[int, int, int]], grey: float, rng: np.random.Generator, count: int) -> list[Array]:
    chosen = [colours[int(i)] for i in rng.permutation(len(colours))[:count]]
    result = []
    for colour in chosen:
        c = linear(*colour)
        result.append((c + (c.mean() - c) * grey).astype(np.float32))
    return result


def city_of(domain: Domain, number: int, seed: int) -> City:
    """The city `number` of a domain in the world `seed`."""
    rng = stream(seed, 3, DOMAINS.index(domain), number)
    camera = domain == "camera"
    grey = rng.uniform(0.35, 0.6) if camera else rng.uniform(-0.15, 0.15)
    count = 4 if camera else 6
    palette = {
        "brick": _greyed(BRICKS, grey, rng, count),
        "plaster": _greyed(PLASTERS + (BRIGHT if rng.random() < 0.4 else []), grey, rng, count + 1),
        "stone": _greyed(STONES, grey, rng, 3),
        "modern": _greyed(MODERN, grey, rng, 4),
    }
    tone = rng.uniform(70, 112)
    road = linear(tone, tone * rng.uniform(0.98, 1.02), tone * rng.uniform(1.0, 1.07))
    # Pavements are often hardly lighter than the road: close tones, other structure.
    ratio = rng.choice([rng.uniform(0.92, 1.1), rng.uniform(1.05, 1.4)])
    walk = tone * ratio
    pavement = linear(walk * rng.uniform(1.0, 1.05), walk, walk * rng.uniform(0.94, 1.02))
    low = rng.uniform(10, 30)
    clear, milky, closed, fog = rng.dirichlet([2.5, 1.6, 2.2, 0.25 if camera else 0.5])
    terrace, shops, offices, houses, park, wall, lot = rng.dirichlet([3.2, 3.4, 1.6, 1.9, 1.1, 0.9, 0.8])
    brick_wall, hedge, fence, none = rng.dirichlet([2, 2, 2, 0.6])
    centre = rng.uniform(6.0, 8.8)
    walk_width = rng.uniform(2.5, 4.5)
    return City(
        palette=palette,
        leaves=_greyed(LEAVES, grey * 0.6, rng, 4),
        autumn=rng.uniform(0, 0.3),
        bare=rng.uniform(0.1, 0.85),
        trees=rng.uniform(0.3, 1.3),
        weather={"clear": clear, "milky": milky, "closed": closed, "fog": fog * 0.6},
        sun_height=(low, low + rng.uniform(10, 32)),
        road=road,
        pavement=pavement,
        paving=str(rng.choice(["slabs", "slabs", "bricks", "plain"])),
        kerb=linear(*(np.array([1.0, 0.99, 0.96]) * walk * rng.uniform(0.95, 1.3))),
        road_width=(centre - 1.0, centre + rng.uniform(0.5, 3.0)),
        sidewalk_width=(walk_width * 0.75, walk_width * 1.4),
        drives_left=bool(rng.random() < 0.6),
        stretches={
            "terrace": terrace,
            "shops": shops,
            "offices": offices,
            "houses": houses,
            "park": park * 0.8,
            "wall": wall * 0.7,
            "lot": lot * 0.7,
        },
        yellow_lines=rng.uniform(0.1, 0.9),
        tram=float(rng.random() < 0.5) * rng.uniform(0.1, 0.35),
        garden={"wall": brick_wall, "hedge": hedge, "fence": fence, "none": none},
        bonnet=camera and bool(rng.random() < 0.35),
        grime=rng.uniform(0.5, 1.0) if camera else rng.uniform(0.0, 0.7),
    )
