"""Where the camera stands and looks: on a car, further away as the gap grows, or somewhere odd."""

from dataclasses import dataclass

import numpy as np

from streetworld.basics import Domain, WorldOptions, pick
from streetworld.camera import Camera
from streetworld.plan import StreetPlan

ODD_SHARE, ODD_SHARE_FAR, NIGHT_SHARE = 0.12, 0.24, 0.08  # of the rendered frames, at gap 0 and gap 1


@dataclass(frozen=True)
class View:
    """What kind of frame this is; `odd` names an unusual viewpoint ("" for a normal one)."""

    odd: str
    night: bool


def sample_view(rng: np.random.Generator, domain: Domain, options: WorldOptions) -> View:
    """Draw the kind of frame; the camera domain drives by day and looks ahead."""
    odd_draw, night_draw = rng.random(2)
    kind = pick(rng, {"drone": 3, "tilted": 2, "wall": 2, "crossing": 2, "walker": 1.5})
    if domain == "camera":
        return View("", False)
    share = ODD_SHARE + (ODD_SHARE_FAR - ODD_SHARE) * options.gap
    return View(kind if odd_draw < share else "", bool(night_draw < NIGHT_SHARE))


def sample_camera(
    rng: np.random.Generator,
    view: View,
    domain: Domain,
    options: WorldOptions,
    plan: StreetPlan,
    mount: tuple[float, float, float],
) -> Camera:
    """Draw the camera; `mount` is a city's usual height (m), pitch (rad) and focal length (frame widths)."""
    own = -1 if plan.drives_left else 1
    inner = plan.median + 0.2
    lane = own * (
        inner
        + (plan.half_width - plan.parking[(own + 1) // 2] - inner)
        * (0.5 if plan.lanes == 1 else rng.choice([0.25, 0.75]))
    )
    x = lane + rng.normal(0, 0.35)
    if domain == "camera":
        height, pitch, focal = mount
        height, pitch = height + rng.normal(0, 0.03), pitch + rng.normal(0, 0.008)
    else:
        height, pitch, focal = rng.uniform(1.2, 1.6), rng.normal(0.0, 0.03), rng.uniform(0.8, 1.15)
        gap = options.gap
        far_height = rng.uniform(2.5, 8.0)
        far_pitch = (
            -0.05 * (far_height - 1.4) * rng.uniform(0.3, 1.0) if rng.random() < 0.75 else rng.uniform(0.05, 0.2)
        )
        height += gap * (far_height - height)
        pitch += gap * (far_pitch - pitch)
        focal *= 1 + gap * (rng.choice([rng.uniform(0.55, 0.8), rng.uniform(1.1, 1.4)]) - 1)
        x += gap * rng.normal(0, 0.35 * plan.half_width)
    yaw, roll = plan.heading(6.0) + rng.normal(0, 0.035), rng.normal(0, 0.008)
    if rng.random() < 0.06 and not view.odd:
        yaw += rng.uniform(-0.35, 0.35)  # turning or changing lanes
    if view.odd == "drone":
        height, pitch, yaw = rng.uniform(12, 28), rng.uniform(-0.9, -0.35), rng.uniform(-0.7, 0.7)
    elif view.odd == "tilted":
        pitch, roll = rng.choice([-0.4, 0.35]) + rng.normal(0, 0.08), rng.choice([-1, 1]) * rng.uniform(0.12, 0.5)
    elif view.odd == "wall":
        yaw = rng.choice([-1, 1]) * rng.uniform(1.1, 1.9)
    elif view.odd == "crossing":
        yaw, x = rng.choice([-1, 1]) * rng.uniform(0.6, 1.3), rng.uniform(-1, 1) * plan.half_width
    elif view.odd == "walker":
        side = rng.choice([-1, 1])
        x, height = side * (plan.half_width + plan.walk[(side + 1) // 2] * 0.5), rng.uniform(0.8, 1.8)
        yaw = -side * rng.uniform(-0.2, 0.6)
    return Camera(x, height, yaw, pitch, roll, focal * options.width, options.width, options.height)
