"""Train one method on the built-in streets: ``python examples/train_a_method.py joint``, or another."""

import argparse
from pathlib import Path

from pixda.api import Data, Experiment, Network, StreetOptions, Target, UserError, print_scores, read_scores, train
from pixda.methods import METHODS

if __name__ == "__main__":  # the frames are rendered by processes that import this file
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=METHODS, nargs="?", default="joint")
    parser.add_argument("--out", type=Path, default=Path("runs/example"))
    parser.add_argument("--frames", type=int, default=400, help="synthetic frames to render")
    parser.add_argument("--network", default="mobile_deeplab", help="one of pixda.models.ARCHITECTURES")
    parser.add_argument("--steps", type=int, help="steps of the first stage (default: the preset's)")
    given = parser.parse_args()

    world = Path(given.out).parent / "streets"
    options = StreetOptions(count=given.frames, gap=0.3, size=(320, 240))
    cameras = StreetOptions(count=min(given.frames, 54), size=(320, 240))
    experiment = Experiment(
        source=Data("streets", world, "rendered", streets=options),
        target=Target("streets", world, "camera-18", shots=1, test_split="camera-val", streets=cameras),
        # Real frames without labels; methods that cannot use them refuse them.
        unlabelled=Data("streets", world, "camera-train", streets=cameras) if given.method == "self_training" else None,
        size=(320, 240),
        network=Network(given.network),
    )
    changes = {} if given.steps is None else {"pretrain_steps": given.steps}
    try:
        run = train(experiment, given.method, given.out, preset="demo", **changes)
    except UserError as error:
        raise SystemExit(f"{error}") from None
    print_scores({METHODS[given.method].title: read_scores(run)})
