"""A model to share, as a folder or on Hugging Face's hub: weights, how they were made, scores and a card."""

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from pixda.comparison.markup import markdown_text
from pixda.data.classes import ClassSet
from pixda.errors import UserError
from pixda.export.card import how_it_was_made, what_it_knows
from pixda.models.saved import save_model
from pixda.models.segmenter import Segmenter
from pixda.reading import one_line
from pixda.writing import atomic_write

_MODEL = ("model.safetensors", "model.json")
_BESIDE = ("scores.json", "shots.json")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def save_shared(folder: Path, segmenter: Segmenter, made: Mapping[str, Any], run: Path | None) -> Path:
    """Write a model to a folder that others can load: its two files, its scores and shots, and a card, README.md.

    Paths in the account of its making are cut to their last names, which keeps the maker's folders private. The scores
    and the list of shots are those in the folder of the run, or left out if that is None.

    Raises:
        UserError: it cannot be written.
    """
    account = _without_places(made)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_model(folder, segmenter, account)
        for name in _BESIDE:
            beside = None if run is None else run / name
            if beside is not None and beside.is_file() and beside.resolve() != (folder / name).resolve():
                with atomic_write(folder / name) as file:
                    shutil.copyfile(beside, file)
        with atomic_write(folder / "README.md") as file:
            file.write_text(_readme(segmenter.classes, account, folder), encoding="utf-8")
    except OSError as error:
        raise UserError(f"The model cannot be saved in {folder} ({error.strerror or error}).") from error
    return folder


def push(name: str, segmenter: Segmenter, made: Mapping[str, Any], run: Path | None, private: bool) -> str:
    """Put a model on Hugging Face's hub, in a repository that is created if it does not exist.

    Args:
        name: "user/name".
        segmenter, made, run: as in `save_shared`.
        private: whether a new repository is private.

    Returns:
        The repository's address.

    Raises:
        UserError: the package is missing, nobody is logged in, or the hub refuses or is out of reach.
    """
    if not _HUB_NAME.fullmatch(name):
        raise UserError(f"'{name}' is no name on Hugging Face's hub: write 'user/name'.")
    hub = _hub()
    with tempfile.TemporaryDirectory() as folder:
        save_shared(Path(folder), segmenter, made, run)
        api = hub.HfApi()
        try:
            address = str(api.create_repo(name, private=private, exist_ok=True))
            api.upload_folder(repo_id=name, folder_path=folder, commit_message="A PixDA model")
        except Exception as error:  # the client, its connection and the hub raise many kinds
            raise UserError(
                f"The model could not be put on Hugging Face's hub as '{name}' ({one_line(error)}): log in with "
                "`hf auth login` as one who may write there, and see that the hub can be reached."
            ) from error
    return address


def found(model: str | Path, revision: str | None = None) -> Path:
    """The folder or file of a model: the given path, or the copy of "user/name" downloaded from Hugging Face's hub.

    Args:
        model: a path; or a name on the hub, if there is no such path.
        revision: of a model on the hub: a branch, a tag or a commit; None is its latest.

    Raises:
        UserError: there is neither such a path nor such a model on the hub.
    """
    path = Path(model).expanduser()
    if path.exists() or not _HUB_NAME.fullmatch(str(model)):
        if revision is not None:
            raise UserError(f"revision is for models on Hugging Face's hub, and {model} is a path: leave it out.")
        return path
    hub = _hub(f"There is no folder {model}, and to look for a model of that name on Hugging Face's hub")
    try:
        return Path(hub.snapshot_download(str(model), revision=revision, allow_patterns=[*_MODEL, *_BESIDE]))
    except Exception as error:  # as above
        raise UserError(
            f"There is no folder {model}, and no model of that name could be had from Hugging Face's hub "
            f"({one_line(error)}): correct the name, or see that the hub can be reached."
        ) from error


def _hub(what: str = "To put a model on Hugging Face's hub") -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(f"{what} the package huggingface_hub is needed: pip install 'pixda[hf]'.") from None
    return huggingface_hub


def _without_places(value: Any) -> Any:
    """Nested values in which absolute paths are cut to their last name."""
    if isinstance(value, Mapping):
        return {key: _without_places(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_places(part) for part in value]
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str) and (value.startswith(("/", "~")) or PureWindowsPath(value).drive):
        return PureWindowsPath(value).name or value
    return value


def _readme(classes: ClassSet, made: Mapping[str, Any], folder: Path) -> str:
    """The card, as the hub shows it: YAML for its search, then Markdown."""
    width, height = made["config"]["size"]
    own = made["config"]["network"]["architecture"] == "own"
    given = ", network=module" if own else ""
    parts = [
        "---\nlibrary_name: pixda\npipeline_tag: image-segmentation\ntags:\n- semantic-segmentation\n"
        "- domain-adaptation\n---",
        "# A semantic segmentation model",
        f"Made by PixDA {markdown_text(made['version'])}: weights in `model.safetensors`, classes, network and the "
        "account of its making in `model.json`. No code comes with it.",
        "## Use",
        f'```python\nfrom pixda.api import load\n\nmodel = load("user/name"{given})  # or the path of this folder\n'
        'classes = model.predict("photo.jpg")  # uint8 H x W, class indices, at the size of the image\n```',
        *(["The network is a module of its maker's own, which has to be given: ask for its code."] if own else []),
        f"Images are RGB. The network was trained at {width} x {height} (width x height): images are brought to that "
        "size, and the answer back.",
        *how_it_was_made(made, folder),
        *what_it_knows(classes),
    ]
    return "\n\n".join(parts) + "\n"
