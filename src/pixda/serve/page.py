"""The page: a visitor uploads an image and sees the prediction as pictures and a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from pixda.data.files import known_formats
from pixda.errors import UserError
from pixda.predict.inputs import IMAGES
from pixda.serve.answer import ServedModel
from pixda.serve.upload import BYTES, PIXELS, read_upload

CSS = """
.classes { border-collapse: collapse; width: 100%; }
.classes th { text-align: left; font-weight: 600; }
.classes th, .classes td { padding: 2px 8px; border: none; }
.classes th:nth-child(n+3), .classes td:nth-child(n+3) { text-align: right; font-variant-numeric: tabular-nums; }
.swatch { display: inline-block; width: 1.1em; height: 1.1em; border: 1px solid #8888; vertical-align: middle; }
"""
_HINT = f"{', '.join(known_formats())}: up to {BYTES >> 20} MB and {PIXELS // 1_000_000} million pixels."


def build(models: Mapping[str, ServedModel]) -> gr.Blocks:
    """The page for these models; the first one is selected when it opens."""

    def look(name: str, file: str | None) -> tuple[Any, ...]:
        about = models[name].about
        if file is None:
            return about, _HINT, None, None, None, ""
        try:
            image = read_upload(Path(file))
        except UserError as error:
            return about, f"**Not shown:** {_plain(str(error))}", None, None, None, ""
        return about, f"{_plain(Path(file).name)}, {image.shape[2]} x {image.shape[1]}", *models[name](image)

    first = next(iter(models))
    # No analytics are sent, and uploads are deleted after ten minutes.
    with gr.Blocks(title="PixDA", analytics_enabled=False, delete_cache=(60, 600)) as page:
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                choice = gr.Dropdown(list(models), value=first, label="Model", interactive=len(models) > 1)
                about = gr.Markdown(models[first].about)
                upload = _fetches_nothing(gr.File(label="Image", file_types=list(IMAGES), type="filepath"))
                status = gr.Markdown(_HINT, elem_id="status")
                table = gr.HTML(elem_id="table")
            with gr.Column(scale=3):
                shown = {"interactive": False, "buttons": ["download", "fullscreen"]}
                overlay = gr.Image(label="Image and classes", format="jpeg", elem_id="overlay", **shown)
                with gr.Row():
                    mask = gr.Image(label="Classes", format="png", elem_id="mask", **shown)
                    confidence = gr.Image(
                        label="Confidence (white is sure)", format="png", elem_id="confidence", **shown
                    )
        gr.on(
            [upload.change, choice.change],
            look,
            [choice, upload],
            [about, status, overlay, mask, confidence, table],
            api_visibility="private",
        )
    return page.queue(max_size=16)


def _fetches_nothing(upload: gr.File) -> gr.File:
    """Accept uploaded files only: Gradio would fetch any address that a visitor sends instead of a file."""
    take = upload.async_move_resource_to_block_cache

    async def only_files(given: Any) -> Any:
        if "://" in str(given):
            raise gr.Error("Addresses are not fetched here: save the image and drop the file.", print_exception=False)
        return await take(given)

    # Set on the object: for a subclass, Gradio would write a stub file next to this one.
    upload.async_move_resource_to_block_cache = only_files
    return upload


def _plain(text: str) -> str:
    """Text with Markdown and HTML escaped: a file name may contain anything."""
    return "".join(f"&#{ord(one)};" if one in "<>&*_`[]()!#~|\\:@" else one for one in text)
