"""A video with the colours of the classes laid over it, frame for frame."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from pixda.errors import UserError
from pixda.predict.network import Predictor

_SPARE_RATE = 25.0  # frames a second, where the file does not say


def overlay_video(
    path: Path,
    out: Path,
    predictor: Predictor,
    overlay: Callable[[Tensor, np.ndarray], np.ndarray],
    progress: Callable[[int, int], None],
) -> None:
    """Write a video's overlay at its own size and rate, MPEG-4.

    Args:
        path: the video.
        out: file to write.
        predictor: what predicts the frames.
        overlay: uint8 ``3 x H x W`` and class indices ``H x W`` -> uint8 ``H x W x 3``, all RGB.
        progress: told (done, total) after each frame.

    Raises:
        UserError: a frame is lost: the video cannot be decoded, or not to the end that it states, or not be written.
    """
    with _opened(path) as video:
        stated = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 1)
        rate = video.get(cv2.CAP_PROP_FPS)
        size = int(video.get(cv2.CAP_PROP_FRAME_WIDTH)), int(video.get(cv2.CAP_PROP_FRAME_HEIGHT))
        writer = cv2.VideoWriter(
            str(out), cv2.VideoWriter.fourcc(*"mp4v"), rate if 0 < rate < 1000 else _SPARE_RATE, size
        )
        done = 0
        progress(0, stated)
        try:
            frames = _frames(video)
            while group := list(islice(frames, predictor.group)):
                for image, prediction in zip(group, predictor(group), strict=True):
                    writer.write(cv2.cvtColor(overlay(image, prediction.classes), cv2.COLOR_RGB2BGR))
                    done += 1
                    # The count is an estimate in some containers: the end is told below.
                    progress(min(done, stated - 1), stated)
        finally:
            writer.release()
    progress(stated, stated)
    if done < stated - 1:
        raise UserError(f"The video {path} cannot be decoded after frame {done} of {stated}; fetch it again.")
    with _opened(out) as written:
        kept = int(written.get(cv2.CAP_PROP_FRAME_COUNT))
    if kept != done:
        raise UserError(f"Only {kept} of the {done} frames of {path} could be written; is the disk full?")


def _frames(video: cv2.VideoCapture) -> Iterator[Tensor]:
    """Every frame as uint8 ``3 x H x W``, RGB."""
    while True:
        there, frame = video.read()
        if not there:
            return
        yield torch.from_numpy(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise UserError(f"The video {path} cannot be decoded; it may be cut short: fetch it again.")
        yield video
    finally:
        video.release()
