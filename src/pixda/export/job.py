"""From a finished run to a file and its card."""

from collections.abc import Sequence
from pathlib import Path

from pixda import __version__
from pixda.errors import UserError
from pixda.export import Format
from pixda.export.card import card
from pixda.export.formats import FORMATS, Deployed
from pixda.export.frames import given_frames, own_frames
from pixda.export.parity import TOLERANCE, Agreement, compare
from pixda.models.saved import load_model
from pixda.models.views import with_views
from pixda.predict.outputs import output_file
from pixda.watch.progress import Display


def export_model(
    model: Path,
    out: Path,
    kind: Format,
    frames: Sequence[Path] | None = None,
    confidence: bool = False,
    scales: Sequence[float] = (1.0,),
    flips: bool = False,
) -> list[Agreement]:
    """Write a model as one file with its card beside it, if the file agrees with PyTorch on real frames.

    Args:
        model: folder of a finished run, or its ``model.safetensors``.
        out: the file; the card has its name and ``.md`` after it.
        kind: the format.
        frames: images and folders to compare on; None takes the run's own target frames.
        confidence: whether the file outputs the confidence, too.
        scales: the file looks at an image at each of these, and averages.
        flips: it looks at the mirror image, too.

    Returns:
        The comparison.

    Raises:
        UserError: wrong input, found before any work; or the file differs from the model and was removed.
    """
    form = FORMATS[kind]
    if out.suffix != form.ending:
        raise UserError(f"The format {kind} is written to a file that ends in {form.ending}, not to {out}.")
    form.check()
    plain, made = load_model(model)
    segmenter = with_views(plain, scales, flips)
    real = own_frames(made["config"], segmenter.classes) if frames is None else given_frames(frames)
    width, height = made["config"]["size"]
    about = {
        "pixda": __version__,
        "classes": segmenter.classes.names,
        "colours": segmenter.classes.colours,
        "size": (width, height),
        **({} if segmenter is plain else {"scales": list(scales), "flips": flips}),
    }
    with Display([], "export") as display, output_file(out) as file:
        form.write(Deployed(segmenter, confidence), file, about)
        display.say(f"{form.title}: written, now compared with PyTorch")
        found = compare(form.open(file), segmenter, real, (width, height))
        for one in found:
            display.say(str(one))
        if max(one.differing for one in found) > TOLERANCE:
            raise UserError(
                f"The exported file differs from the model on more than {100 * TOLERANCE:g} % of the pixels "
                f"({'; '.join(map(str, found))}): it was removed. Try the other --format, and report this with the "
                "versions of torch, onnx and onnxruntime."
            )
        folder = model if model.is_dir() else model.parent
        text = card(out, form.title, confidence, segmenter, made, folder, found)
    with output_file(out.with_name(out.name + ".md")) as file:
        file.write_text(text, encoding="utf-8")
    return found
