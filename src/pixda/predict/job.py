"""Predicts many files: those that are done already are skipped, and a file that cannot be read costs no other."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from torch import Tensor

from pixda.config import Machine
from pixda.data.files import shown_size
from pixda.data.findings import is_squeezed
from pixda.data.search import Search
from pixda.errors import UserError
from pixda.machine.devices import make_fabric
from pixda.models.saved import load_model
from pixda.models.views import with_views
from pixda.predict import Output
from pixda.predict.inputs import Input, find_inputs, load_image
from pixda.predict.network import Predictor
from pixda.predict.outputs import Outputs, fingerprint, output_file
from pixda.predict.video import overlay_video
from pixda.watch.progress import Display

_NAMED_FILES = 3


def predict_files(
    model: Path,
    given: Sequence[Path],
    out: Path,
    kinds: Sequence[Output],
    size: tuple[int, int] | None = None,
    window: tuple[int, int] | None = None,
    batch: int = 1,
    scales: Sequence[float] = (1.0,),
    flips: bool = False,
    temperature: float = 1.0,
) -> None:
    """Predict images, folders and videos into a folder; a job that was stopped goes on where it was.

    Args:
        model: folder of a finished run, or its ``model.safetensors``.
        given: images, videos, and folders of them.
        out: the folder of the predictions.
        kinds: pictures to write for each image.
        size: (width, height) for the network; None is the size it was trained at, or with a window the image's own.
        window: (width, height) of a sliding window; None shows images whole.
        batch: images, or windows, for the network at once.
        scales: every image is shown at each of these, and the answers averaged.
        flips: the mirror image is shown, too.
        temperature: above 0, what logits are divided by for the confidence.

    Raises:
        UserError: wrong input, found before the work; or, when all else is done, inputs that could not be read.
    """
    search = Search()
    inputs = find_inputs(given, out, search)
    unwanted = [one for one in inputs if one.video and "overlay" not in kinds]
    inputs = [one for one in inputs if one not in unwanted]
    if not inputs or any(one.path in given for one in unwanted):
        raise UserError(
            f"{unwanted[0].path} is a video, of which only an overlay is made: add overlay to --outputs, "
            "or leave videos out."
        )
    if temperature != 1 and "confidence" not in kinds:
        raise UserError("--temperature changes confidence maps alone: add confidence to --outputs, or leave it out.")
    plain, made = load_model(model)
    segmenter = with_views(plain, scales, flips)
    if size is None and window is None:
        width, height = made["config"]["size"]
        size = (width, height)
    weights = model / "model.safetensors" if model.is_dir() else model
    made_with = {
        "model": fingerprint(weights),
        "size": None if size is None else list(size),
        "window": None if window is None else list(window),
        **({} if segmenter is plain else {"scales": list(scales), "flips": flips}),
        **({} if temperature == 1 else {"temperature": temperature}),
    }
    outputs = Outputs(out, kinds, segmenter.classes, made_with)
    left = [one for one in inputs if not outputs.done(one)]
    predictor = Predictor(segmenter, make_fabric(Machine()), size, window, batch, temperature)
    with Display([], "predict") as display:
        for text in search.account:
            display.say(text)
        if unwanted:
            display.say(f"passed over, of videos only overlays are made (--outputs overlay): {len(unwanted)} videos")
        if len(left) < len(inputs):
            display.say(f"{len(inputs) - len(left)} of {len(inputs)} are in {out} already and are skipped")
        if size is not None and (squeezed := [one for one in left if not one.video and _is_squeezed(one.path, size)]):
            display.say(
                f"{len(squeezed)} images have another shape than the network's {size[0]} x {size[1]} and are squeezed "
                f"to it, first {squeezed[0].path}; --window {size[0]},{size[1]} shows them as they are, in parts"
            )
        troubles = _images([one for one in left if not one.video], predictor, outputs, display)
        troubles += _videos([one for one in left if one.video], predictor, outputs, display)
        display.say(f"{len(left) - len(troubles)} predicted, in {out}")
    if troubles:
        named = ", ".join(str(one.path) for one in troubles[:_NAMED_FILES]) + (
            ", ..." if len(troubles) > _NAMED_FILES else ""
        )
        raise UserError(
            f"{len(troubles)} of {len(inputs)} inputs could not be predicted ({named}; the reasons are above); "
            "the others are done."
        )


def _is_squeezed(path: Path, size: tuple[int, int]) -> bool:
    shown = shown_size(path)
    return shown is not None and is_squeezed(shown, size)


def _images(images: Sequence[Input], predictor: Predictor, outputs: Outputs, display: Display) -> list[Input]:
    """Predict images and return those that could not be read. The next are read, and the last written, meanwhile."""
    groups = [images[first : first + predictor.group] for first in range(0, len(images), predictor.group)]
    troubles: list[Input] = []
    written: list[Future[None]] = []
    done = 0
    with ThreadPoolExecutor(4) as pool:
        coming = [pool.submit(_load, one) for one in groups[0]] if groups else []
        for number, group in enumerate(groups):
            display.count("images", done, len(images))
            read = [future.result() for future in coming]
            coming = [pool.submit(_load, one) for one in groups[number + 1]] if number + 1 < len(groups) else []
            good: list[tuple[Input, Tensor]] = []
            for one, image in zip(group, read, strict=True):
                if isinstance(image, UserError):
                    display.say(str(image))
                    troubles.append(one)
                else:
                    good.append((one, image))
            predictions = predictor([image for _, image in good]) if good else []
            for future in written:
                future.result()
            written = [
                pool.submit(outputs.write, one, image, prediction)
                for (one, image), prediction in zip(good, predictions, strict=True)
            ]
            done += len(group)
        for future in written:
            future.result()
    if groups:
        display.count("images", done, len(images))
    return troubles


def _load(one: Input) -> Tensor | UserError:
    try:
        return load_image(one.path)
    except UserError as error:
        return error


def _videos(videos: Sequence[Input], predictor: Predictor, outputs: Outputs, display: Display) -> list[Input]:
    """Make overlays of videos and return those that could not be decoded."""
    troubles: list[Input] = []
    for one in videos:
        progress = partial(display.count, f"{one.name}, frame")
        try:
            with output_file(outputs.files(one)["overlay"]) as file:
                remark = overlay_video(one.path, file, predictor, outputs.overlay, progress)
            if remark is not None:
                display.say(remark)
        except UserError as error:
            display.say(str(error))
            troubles.append(one)
    return troubles
