"""The street plan: one main street that may bend, side streets, kerbs; distances from the kerb."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from streetworld.basics import Array
from streetworld.city import City

REACH = 130.0  # metres ahead that are furnished
ISLAND = (0.7, 2.4)  # half width and half length of a refuge, metres


@dataclass(frozen=True)
class Junction:
    """A side street: where it meets the main street (metres), its width and side (-1, 1, or 0 for both)."""

    at: float
    width: float
    side: int


@dataclass(frozen=True)
class StreetPlan:
    """Street coordinates are (u, s): metres to the right of the centre line, and along it."""

    half_width: float
    bend: float  # 1/metres
    bend_from: float
    junctions: tuple[Junction, ...]
    end: float  # where the street ends at a crossing street; large: it does not
    walk: tuple[float, float]  # pavement width left, right
    verge: tuple[float, float]  # grass strip behind the kerb left, right
    median: float  # half width of a planted middle strip; 0: none
    islands: tuple[float, ...]  # middles of short refuges in the centre of the road
    kerb: float  # height
    corner: float  # corner radius
    plot: tuple[str, str]  # ground behind the pavement left, right: "paved", "grass", "gravel"
    drives_left: bool
    lanes: int  # in each direction
    parking: tuple[float, float]  # width of parked cars' strip left, right (inside the road)
    cycle_lane: tuple[float, float]
    tram: bool

    def centre(self, s: Array | float) -> Array:
        """x of the centre line at z = s."""
        t = np.clip(np.asarray(s) - self.bend_from, 0, 140)
        beyond = np.clip(np.asarray(s) - self.bend_from - 140, 0, None)
        return np.asarray(self.bend * (0.5 * t * t + 140 * beyond))

    def slope(self, s: Array | float) -> Array:
        """dx/dz of the centre line at z = s."""
        return np.asarray(self.bend * np.clip(np.asarray(s) - self.bend_from, 0, 140))

    def to_street(self, x: Array, z: Array) -> Array:
        """u at world (x, z); s is z."""
        m = self.slope(z)
        return np.asarray((x - self.centre(z)) / np.sqrt(1 + m * m))

    def point(self, u: float, s: float) -> tuple[float, float]:
        """World (x, z) of street coordinates."""
        t = min(max(s - self.bend_from, 0.0), 140.0)
        beyond = max(s - self.bend_from - 140.0, 0.0)
        m = self.bend * t
        n = sqrt(1.0 + m * m)
        return float(self.bend * (0.5 * t * t + 140 * beyond) + u / n), float(s - u * m / n)

    def heading(self, s: float) -> float:
        """Angle of the street's direction from z towards x, radians."""
        return float(np.arctan(self.slope(s)))

    def kerb_distance(self, x: Array, z: Array) -> Array:
        """Metres from the kerb: negative on a road, positive behind the kerb."""
        u = self.to_street(x, z)
        distance = np.abs(u) - np.float32(self.half_width)
        if self.end < 500:
            distance = np.maximum(distance, z - self.end)
        roads = list(self.junctions)
        if self.end < 500:
            roads.append(Junction(self.end + 4.0, 8.0, 0))
        for road in roads:
            side = np.abs(z - road.at) - np.float32(road.width / 2)
            if road.side:
                side = np.maximum(side, -road.side * u)
            gap = np.maximum(self.corner - np.abs(distance - side), 0)
            distance = np.minimum(distance, side) - gap * gap * (0.25 / self.corner)
        if self.median:
            island = self.median - np.abs(u)
            for road in roads:
                island = np.minimum(island, np.abs(z - road.at) - (road.width / 2 + 2))
            distance = np.maximum(distance, island)
        for at in self.islands:
            distance = np.maximum(distance, np.minimum(ISLAND[0] - np.abs(u), ISLAND[1] - np.abs(z - at)))
        return np.asarray(distance)

    def is_open(self, side: int, s: float, margin: float) -> bool:
        """Whether a side street leaves the main street on `side` within `margin` metres of s."""
        crossing = any(j.side in (0, side) and abs(s - j.at) < j.width / 2 + margin for j in self.junctions)
        return crossing or s > self.end - 1.0


def sample_plan(rng: np.random.Generator, city: City, gap: float) -> StreetPlan:
    """Draw a street; `gap` is the chance that it is of a plan the camera's cities do not have."""
    wide = rng.random() < 0.75 * gap
    half = 0.5 * rng.uniform(*city.road_width)
    lanes = 1
    median = 0.0
    walk = (rng.uniform(*city.sidewalk_width), rng.uniform(*city.sidewalk_width))
    if wide:
        kind = rng.integers(3)
        if kind == 0:  # boulevard
            half, lanes, median = rng.uniform(8, 12), 2, rng.uniform(1.0, 3.0)
            walk = (rng.uniform(3, 7), rng.uniform(3, 7))
        elif kind == 1:  # plaza: a lane through wide paving
            half, walk = rng.uniform(2.5, 4), (rng.uniform(8, 18), rng.uniform(8, 18))
        else:  # wide approach road
            half, lanes, walk = rng.uniform(7, 11), 2, (rng.uniform(1, 3), rng.uniform(1, 3))
    elif rng.random() < 0.22:
        half, lanes = half + rng.uniform(1.5, 3.5), 2
    parking = (0.0, 0.0)
    if rng.random() < 0.5 * (1 - gap):
        left, right = rng.random() < 0.6, rng.random() < 0.6
        parking = (2.1 * left, 2.1 * right)
        half += 0.8 * (left + right)
    cycle_lane = (0.0, 0.0)
    if rng.random() < 0.22:
        cycle_lane = (1.4, 1.4)
        half += 0.8
    junctions = []
    at = rng.uniform(4, 45)
    while at < REACH:
        junctions.append(Junction(at, rng.uniform(5, 9), int(rng.choice([-1, 1, 0]))))
        at += rng.uniform(22, 80)
    islands: tuple[float, ...] = ()
    if not median and half > 4 and rng.random() < 0.35:
        places = [rng.uniform(8, 20), rng.uniform(28, 60)][: int(rng.integers(1, 3))]
        islands = tuple(at for at in places if all(abs(at - j.at) > j.width / 2 + 4 for j in junctions))
    bend = rng.normal(0, 0.0022) if rng.random() < 0.6 else 0.0
    grassy = rng.random() < 0.18
    return StreetPlan(
        half_width=half,
        bend=float(np.clip(bend, -0.005, 0.005)),
        bend_from=rng.uniform(0, 40),
        junctions=tuple(junctions),
        end=rng.uniform(35, 110) if rng.random() < 0.12 else 1000.0,
        walk=walk,
        verge=(rng.uniform(0.8, 2.5) * (grassy or rng.random() < 0.1), rng.uniform(0.8, 2.5) * grassy),
        median=median,
        islands=islands,
        kerb=rng.uniform(0.08, 0.15),
        corner=rng.uniform(3, 6),
        plot=("paved", "paved"),
        drives_left=city.drives_left,
        lanes=lanes,
        parking=parking,
        cycle_lane=cycle_lane,
        tram=bool(rng.random() < city.tram),
    )
