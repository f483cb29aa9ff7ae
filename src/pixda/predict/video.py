"""A video with the colours of the classes laid over it, frame for frame, at the same times."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from torch import Tensor

from pixda.errors import UserError
from pixda.predict.network import Predictor

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,gif"
_SPARE_RATE = Fraction(25)  # frames a second, where the file does not say


def overlay_video(
    path: Path,
    out: Path,
    predictor: Predictor,
    overlay: Callable[[Tensor, np.ndarray], np.ndarray],
    progress: Callable[[int, int], None],
) -> str | None:
    """Write a video's overlay at its own size, each frame at its own time: H.264 in MP4, which browsers play.

    Args:
        path: the video.
        out: file to write.
        predictor: what predicts the frames.
        overlay: uint8 ``3 x H x W`` and class indices ``H x W`` -> uint8 ``H x W x 3``, all RGB.
        progress: told (done, total) after each frame.

    Returns:
        A remark where fewer frames were decoded than the file states, which is normal for clips that were cut
        without being encoded anew, and for files of variable rate, whose number is an estimate.

    Raises:
        UserError: no frame can be decoded, or the overlay cannot be written.
    """
    with _opened(path) as video:
        stream = video.streams.video[0]
        stream.thread_type = "AUTO"
        stated = max(stream.frames, 1)
        done = 0
        progress(0, stated)
        trouble: list[str] = []
        frames = _frames(video, stream, trouble)
        with _written(out, stream, _quarter_turns(path)) as (file, written):
            while group := list(islice(frames, predictor.group)):
                images = [torch.from_numpy(_upright(frame)).permute(2, 0, 1) for frame in group]
                for frame, image, prediction in zip(group, images, predictor(images), strict=True):
                    laid = VideoFrame.from_ndarray(_even(overlay(image, prediction.classes)), format="rgb24")
                    laid.pts, laid.time_base = frame.pts, frame.time_base
                    file.mux(written.encode(laid))
                    done += 1
                    progress(min(done, stated), max(stated, done))
            if not done:
                raise _undecodable(path, stream, trouble)
            file.mux(written.encode(None))
    progress(done, done)
    if trouble:
        return f"{path}: {done} frames were decoded, then the file was damaged ({trouble[0]}); the rest is lost"
    if 1 < stated != done:
        return f"{path}: {done} frames were decoded and {stated} stated, as cut clips and variable rates have it"
    return None


def _frames(video: InputContainer, stream: VideoStream, trouble: list[str]) -> Iterator[VideoFrame]:
    """Every frame that can be decoded, in the order it is shown; what ended it early goes to ``trouble``."""
    try:
        yield from video.decode(stream)
    except (av.error.FFmpegError, UnicodeDecodeError) as error:
        trouble.append(str(error))


def _upright(frame: VideoFrame) -> np.ndarray:
    """The frame as it is shown, uint8 ``H x W x 3``: telephones store how it is turned beside it."""
    turned: np.ndarray = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
    return np.ascontiguousarray(turned)


def _quarter_turns(path: Path) -> int:
    """By how many quarters of a circle the frames are turned, 0 to 3."""
    with _opened(path) as video:
        first = next(iter(_frames(video, video.streams.video[0], [])), None)
    return 0 if first is None else round(first.rotation / 90) % 4


def _undecodable(path: Path, stream: VideoStream, trouble: list[str]) -> UserError:
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    why = f": {trouble[0]}" if trouble else ""
    return UserError(
        f"The video {path} (codec {codec}) has no frame that can be decoded here{why}; fetch it again, or convert it: "
        "ffmpeg -i IN -c:v libx264 OUT.mp4."
    )


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    try:
        # The file itself and nothing that it may refer to: a playlist could name other files and addresses.
        video = av.open(str(path), options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UserError(
            f"The video {path} cannot be decoded ({error}); it may be cut short: fetch it again."
        ) from error
    with video:
        if not video.streams.video:
            raise UserError(f"{path} holds no pictures, only sound or text: leave it out.")
        yield video


@contextmanager
def _written(out: Path, like: VideoStream, turns: int) -> Iterator[tuple[OutputContainer, VideoStream]]:
    """A file for frames of a stream's size, after so many quarter turns, and of its times.

    H.264 takes even sides only: an odd last line is repeated.
    """
    try:
        with av.open(str(out), "w", format="mp4") as file:
            stream = file.add_stream("libx264", rate=like.average_rate or _SPARE_RATE, options={"crf": "20"})
            width, height = (like.height, like.width) if turns % 2 else (like.width, like.height)
            stream.width, stream.height = width + width % 2, height + height % 2
            stream.pix_fmt = "yuv420p"
            if like.time_base is not None:
                stream.codec_context.time_base = like.time_base
            yield file, stream
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(f"{out} cannot be written ({error}); is the disk full?") from error


def _even(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
