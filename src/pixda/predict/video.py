"""Writes a video with the colours of the classes laid over every frame, at the same times."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, islice
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
ENCODERS = {"libx264": {"crf": "20"}, "mpeg4": {"b": "8M"}}
"""Encoders for overlays with their options, best first. Some builds of FFmpeg lack libx264."""

_FINEST_OF_MPEG4 = Fraction(1, 65535)  # seconds
_DAMAGED = (av.error.FFmpegError, UnicodeDecodeError)
_SPARE_RATE = Fraction(25)  # frames a second, if the file does not say


def overlay_video(
    path: Path,
    out: Path,
    predictor: Predictor,
    overlay: Callable[[Tensor, np.ndarray], np.ndarray],
    progress: Callable[[int, int], None],
) -> str | None:
    """Write a video's overlay at its own size, each frame at its own time, as MP4 (H.264 if FFmpeg has it).

    Args:
        path: the video.
        out: file to write.
        predictor: what predicts the frames.
        overlay: uint8 ``3 x H x W`` and class indices ``H x W`` -> uint8 ``H x W x 3``, all RGB.
        progress: told (done, total) after each frame.

    Returns:
        A remark if frames may be missing or damaged: packets that could not be decoded, frames that were decoded in
        part, or another number of frames than the file states. The latter is normal for clips that were cut without
        encoding them again, and for variable rates, where the number is an estimate.

    Raises:
        UserError: no frame can be decoded, or the overlay cannot be written.
    """
    with _opened(path) as video:
        stream = video.streams.video[0]
        stream.thread_type = "AUTO"
        stated = max(stream.frames, 1)
        done = patched = 0
        progress(0, stated)
        damage: list[str] = []
        frames = _frames(video, stream, damage)
        first = next(frames, None)
        if first is None:
            raise _undecodable(path, stream, damage)
        frames, times = chain([first], frames), _Times(stream)
        with _written(out, stream, _upright(first).shape) as (file, written):
            while group := list(islice(frames, predictor.group)):
                images = [torch.from_numpy(_upright(frame)).permute(2, 0, 1) for frame in group]
                for frame, image, prediction in zip(group, images, predictor(images), strict=True):
                    laid = VideoFrame.from_ndarray(_even(overlay(image, prediction.classes)), format="rgb24")
                    laid.pts, laid.time_base = times.of(frame), times.base
                    file.mux(written.encode(laid))
                    done += 1
                    patched += frame.is_corrupt
                    progress(min(done, stated), max(stated, done))
            file.mux(written.encode(None))
    progress(done, done)
    facts = []
    if damage:
        facts.append(f"damaged parts left out: {len(damage)}, the first with {damage[0]}")
    if patched:
        facts.append(f"frames that are damaged themselves: {patched}")
    if not facts and 1 < stated != done:
        facts.append(f"{stated} are stated, as cut clips and variable rates have it")
    return f"{path}: {done} frames were decoded; {'; '.join(facts)}" if facts else None


class _Times:
    """The time of each frame: the file's, or one frame after the last if the file has none that can be used."""

    def __init__(self, stream: VideoStream) -> None:
        self.base = stream.time_base or 1 / _SPARE_RATE
        """The unit of the times, in seconds."""
        self._step = max(1, round(1 / ((stream.average_rate or _SPARE_RATE) * self.base)))
        self._last: int | None = None

    def of(self, frame: VideoFrame) -> int:
        """The time of the next frame; always later than that of the frame before, as files require."""
        time = frame.pts
        if time is None or (self._last is not None and time <= self._last):
            time = 0 if self._last is None else self._last + self._step
        self._last = time
        return time


def _frames(video: InputContainer, stream: VideoStream, damage: list[str]) -> Iterator[VideoFrame]:
    """Every frame that can be decoded, in display order.

    The errors of packets that cannot be decoded, and of a file that breaks off, are appended to ``damage``.
    """
    packets = video.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except _DAMAGED as error:  # the container itself: nothing more can be read
            damage.append(_said(error))
            return
        if packet is None:
            return
        try:
            yield from packet.decode()
        except _DAMAGED as error:
            damage.append(_said(error))


def _said(error: Exception) -> str:
    """The message of an error of FFmpeg, without its number and function."""
    return getattr(error, "strerror", None) or str(error)


def _upright(frame: VideoFrame) -> np.ndarray:
    """The frame upright, uint8 ``H x W x 3``, RGB: phones store the rotation beside the pixels."""
    turned: np.ndarray = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
    return np.ascontiguousarray(turned)


def _undecodable(path: Path, stream: VideoStream, damage: list[str]) -> UserError:
    codec = stream.codec_context.name if stream.codec_context is not None else "unknown"
    why = f": {damage[0]}" if damage else ""
    return UserError(
        f"The video {path} (codec {codec}) has no frame that can be decoded here{why}; fetch it again, or convert it: "
        "ffmpeg -i IN -c:v libx264 OUT.mp4."
    )


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    try:
        # Only the file itself: a playlist could make FFmpeg open other files and addresses.
        video = av.open(str(path), options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UserError(
            f"The video {path} cannot be decoded ({_said(error)}); it may be cut short: fetch it again."
        ) from error
    with video:
        if not video.streams.video:
            raise UserError(f"{path} holds no pictures, only sound or text: leave it out.")
        yield video


@contextmanager
def _written(out: Path, like: VideoStream, shape: tuple[int, ...]) -> Iterator[tuple[OutputContainer, VideoStream]]:
    """Open a file for pictures of a shape (H, W, 3), with the rate and time base of another stream.

    The encoders need even sides, so odd ones get one pixel more (see ``_even``).
    """
    encoder = next(name for name in ENCODERS if name in av.codecs_available)
    rate, base = like.average_rate or _SPARE_RATE, like.time_base
    try:
        with av.open(str(out), "w", format="mp4") as file:
            stream = file.add_stream(encoder, rate=rate, options=ENCODERS[encoder])
            assert isinstance(stream, VideoStream)
            stream.height, stream.width = (side + side % 2 for side in shape[:2])
            stream.pix_fmt = "yuv420p"
            if base is not None:
                stream.codec_context.time_base = base if encoder != "mpeg4" else max(base, _FINEST_OF_MPEG4)
            yield file, stream
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(f"{out} cannot be written ({_said(error)}); is the disk full?") from error


def _even(picture: np.ndarray) -> np.ndarray:
    """Repeat the last row or column of a picture with an odd side."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
