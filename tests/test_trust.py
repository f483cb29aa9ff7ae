"""What a file from somebody else may not do: run code, fill the memory, write elsewhere, or slip markup into a page."""

import io
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from comparisons import result, scores
from hf_models import SEGFORMER
from pixda.__main__ import main
from pixda.comparison.grid import Cell
from pixda.comparison.results import Comparison
from pixda.comparison.tables import latex, markdown
from pixda.data.classes import ClassSet
from pixda.data.files import read_channels, read_image
from pixda.errors import UserError
from pixda.export.card import card
from pixda.export.frames import own_frames
from pixda.models import build_segmenter
from pixda.models.saved import load_model, save_model
from pixda.models.weights import read_tensors
from pixda.options import read_training
from pixda.reading import read_json, read_yaml
from pixda.report import print_scores
from pixda.training.checkpoint import load_checkpoint, save_checkpoint
from runs import account

CLASSES = ClassSet.load("camvid-11")
HOSTILE = '</td><script>alert(1)</script> [x](javascript:y) | `c` *s* & {z} \\end{tabular} %\x1b]0;t\x07\u202e"'


class TestConfigs:
    """A config holds values; classes are chosen by PixDA."""

    PLACES = (
        "source: {0}", "source: evil_module.Evil", "target: {0}", "more_sources: [{0}]", "unlabelled: {0}",
        "network: {0}", "network: {{options: {{x: {0}}}}}", "network: {{options: {0}}}", "network: {{weights: {0}}}",
        "recipe: {0}", "recipe: {{segmenter: {0}}}", "recipe: {{alignment: {0}}}", "start_from: {0}", "seed: {0}",
        "machine: {0}", "size: [{0}, 1]", "source.class_path: evil_module.Evil", "network.options.x: {0}",
    )  # fmt: skip

    @pytest.fixture(autouse=True)
    def evil(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        text = f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil:\n    def __init__(self, *a, **k): pass\n"
        (tmp_path / "evil_module.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        yield
        sys.modules.pop("evil_module", None)
        assert not (tmp_path / "ran").exists(), "the module was imported"

    @pytest.mark.parametrize("place", PLACES)
    def test_no_class_is_imported_from_a_config(self, tmp_path: Path, place: str) -> None:
        own = "{class_path: evil_module.Evil, init_args: {x: 1}}"
        data = "{dataset: folder, root: x}"
        lines = [f"source: {data}", f"target: {data}"]
        lines = [line for line in lines if line.split(":")[0] != place.split(":")[0]] + [place.format(own)]
        (tmp_path / "c.yaml").write_text("\n".join(lines))
        try:
            options = read_training(["--config", str(tmp_path / "c.yaml")]).experiment.network.options
        except UserError:
            return
        # An architecture's options are plain values, and the architecture refuses those that it does not have.
        assert json.dumps(options)
        with pytest.raises(UserError, match="has no option"):
            build_segmenter("tiny", CLASSES, **options)

    @pytest.mark.parametrize(
        "place", ["experiment: {0}", "rows: {{a: {0}}}", "recipe: {{x: {0}}}", "splits: {{s: {0}}}"]
    )
    def test_no_class_is_imported_from_a_grid(self, tmp_path: Path, place: str) -> None:
        own = {"class_path": "evil_module.Evil"}
        grid = {"title": "t", "experiment": {}, "rows": {"a": {"method": "joint"}}}
        grid |= yaml.safe_load(place.format(json.dumps(own)))
        (tmp_path / "g.yaml").write_text(json.dumps(grid))
        assert main(["compare", str(tmp_path / "g.yaml"), "--out", str(tmp_path / "out")]) == 1

    def test_no_class_is_imported_for_the_frames_that_a_model_names(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="give some images or a folder with --frames"):
            own_frames({"target": {"class_path": "evil_module.Evil"}}, CLASSES)


class TestYaml:
    @pytest.mark.parametrize(
        "words",
        [["train", "--config"], ["check", "--config"], ["validate", "--config"], ["compare"], ["compare", "--config"]],
    )
    @pytest.mark.parametrize(
        ("text", "said"),
        [("seed: 1\nseed: 2\n", "line 2, column 1: 'seed' is given twice"), ("- a\n", "must hold 'key: value' lines")],
    )
    def test_a_mistake_is_one_sentence_with_file_and_line(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str, said: str
    ) -> None:
        (tmp_path / "mine.yaml").write_text(text)
        assert main([*words, str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "out")]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{tmp_path / 'mine.yaml'}" in line
        assert said in line

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "title: a: b\n",
                "line 1, column 9: mapping values are not allowed here; a text that holds ': ' needs quotes",
            ),
            ("seed: 1\nsize: [1, 2\n", "line 3, column 1: expected ',' or ']'"),
            ("seed: 1\n\tsize: 2\n", "indent with spaces instead of tabs"),
            ("seed: 1\nseed: 2\n", "line 2, column 1: 'seed' is given twice in one place"),
            ("a: !!python/object/apply:os.getcwd []\n", "line 1, column 4: could not determine a constructor"),
            ("a: 2001-13-45\n", "month must be in 1..12; correct that value, or put it in quotes"),
        ],
    )
    def test_every_mistake_is_told_with_its_place(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(UserError) as error:
            read_yaml(tmp_path / "mine.yaml", "The config")
        assert said in str(error.value)
        assert "unicode string" not in str(error.value)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (f"a: &a [{'0,' * 30}]\nb: &b [{'*a,' * 30}]\nc: &c [{'*b,' * 30}]\n", "more than 20000 values"),
            ("- " * 100_000, "levels are nested"),
            ("[" * 100_000, "levels are nested"),
            ("&a [*a]", "stands for nothing that is complete above it"),
            ("a: " + "1:" * 6_000 + "1", "longer than 10000 characters"),
            ("a: " + "9" * 5_000, "digits"),
            ("#" * 300_000, "larger than 256 KiB"),
        ],
    )
    def test_a_short_file_does_not_stand_for_much(self, tmp_path: Path, text: str, said: str) -> None:
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(UserError, match=said):
            read_yaml(tmp_path / "mine.yaml", "The config")

    def test_anchors_and_merges_are_read(self, tmp_path: Path) -> None:
        (tmp_path / "mine.yaml").write_text("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n")
        found = read_yaml(tmp_path / "mine.yaml", "The config")
        assert found == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}

    def test_deep_json_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text("[" * 100_000)
        with pytest.raises(UserError, match="cannot be read as JSON"):
            read_json(tmp_path / "a.json", "The frame list")


class Payload:
    """Unpickled by a careless reader, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.path), "w")


def repacked(path: Path, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


class TestTorchFiles:
    @pytest.mark.parametrize("zipped", [True, False])
    def test_no_code_runs_from_a_checkpoint_or_weights(self, tmp_path: Path, zipped: bool) -> None:
        path = tmp_path / "checkpoint.pt"
        torch.save({"config": {}, "x": Payload(tmp_path / "ran")}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(UserError, match="cannot be read"):
            load_checkpoint(path, {}, {})
        with pytest.raises(UserError, match="cannot be read as plain tensors"):
            read_tensors(path)
        assert not (tmp_path / "ran").exists()

    def test_a_packed_file_is_refused_before_it_is_unpacked(self, tmp_path: Path) -> None:
        path = tmp_path / "w.pth"
        torch.save({"a": torch.zeros(1 << 22)}, path)
        repacked(path, zipfile.ZIP_DEFLATED)
        assert path.stat().st_size < 100_000
        with pytest.raises(UserError, match="its entries are packed"):
            read_tensors(path)

    def test_a_tensor_that_repeats_one_number_is_refused(self, tmp_path: Path) -> None:
        torch.save({"a": torch.zeros(1).expand(1 << 40)}, tmp_path / "w.pth")
        with pytest.raises(UserError, match="its tensors are larger than the file"):
            read_tensors(tmp_path / "w.pth")

    def test_one_wrong_bit_in_a_checkpoint_is_noticed(self, tmp_path: Path) -> None:
        path = tmp_path / "checkpoint.pt"
        save_checkpoint(path, {"config": {}, "weights": torch.full((1000,), 3.0)})
        data = bytearray(path.read_bytes())
        data[data.index(torch.full((4,), 3.0).numpy().tobytes()) + 50] ^= 1
        path.write_bytes(data)
        with pytest.raises(UserError, match="is not that of its content"):
            load_checkpoint(path, {}, {})


class TestModels:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        save_model(tmp_path, build_segmenter("tiny", CLASSES), account())
        return tmp_path

    @pytest.mark.parametrize(
        ("network", "said"),
        [
            ({"architecture": "mobile_deeplab", "width": 30}, "larger than its weights"),
            ({"architecture": "mobile_deeplab", "width": 10**9}, "larger than any of a network's"),
            ({"architecture": "fcn8s", "width": 1}, "larger than its weights"),
            ({"architecture": "ensemble", "members": [{"architecture": "tiny"}] * 5000}, "larger than its weights"),
            ({"architecture": "huggingface", "config": SEGFORMER | {"num_labels": 10**9}}, "larger than any"),
            ({"architecture": "huggingface", "config": SEGFORMER | {"hidden_sizes": [9999] * 4}}, "larger than its"),
            ({"architecture": "huggingface", "name": "somebody/model"}, "asks for another model"),
            ({"architecture": "os.system"}, "There is no segmenter"),
        ],
    )
    def test_a_description_builds_nothing_larger_than_the_weights(
        self, model: Path, network: dict[str, Any], said: str
    ) -> None:
        about = json.loads((model / "model.json").read_text())
        (model / "model.json").write_text(json.dumps(about | {"network": network}))
        with pytest.raises(UserError, match=said):
            load_model(model)

    def test_what_readers_of_the_account_rely_on_is_there(self, model: Path) -> None:
        about = json.loads((model / "model.json").read_text())
        for key in ("version", "config", "steps", "machine"):
            less = about | {"made": {name: value for name, value in about["made"].items() if name != key}}
            (model / "model.json").write_text(json.dumps(less))
            with pytest.raises(UserError, match=f"'made.{key}' is missing or wrong"):
                load_model(model)

    def test_code_from_the_hub_is_refused(self) -> None:
        kernel = {"attn_implementation": "somebody/kernel", "transformers_version": "5"}
        with pytest.raises(UserError, match="asks for code from"):
            build_segmenter("huggingface", CLASSES, config=SEGFORMER | kernel)

    def test_looking_for_a_models_frames_renders_nothing(self, tmp_path: Path) -> None:
        target = {"dataset": "streets", "root": str(tmp_path), "split": "camera-train"}
        with pytest.raises(UserError, match="give some images or a folder with --frames"):
            own_frames({"target": target}, CLASSES)
        assert not list(tmp_path.iterdir())


class TestPictures:
    def test_a_format_that_another_program_would_draw_is_not_opened(self, tmp_path: Path) -> None:
        Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
        (tmp_path / "a.eps").rename(tmp_path / "a.png")
        with pytest.raises(UserError, match="cannot identify image file"):
            read_image(tmp_path / "a.png")

    @pytest.mark.filterwarnings("ignore:Image size")
    @pytest.mark.parametrize("read", [read_image, read_channels])
    def test_a_picture_that_would_fill_the_memory_is_not_unpacked(self, tmp_path: Path, read: Any) -> None:
        file = io.BytesIO()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(file, "PNG")
        data = bytearray(file.getvalue())
        data[16:24] = (13_000).to_bytes(4, "big") * 2
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(UserError, match="cannot be decoded"):
            read(tmp_path / "a.png")


class TestPages:
    """Names of classes are texts of whoever made the class set."""

    CLASSES = replace(CLASSES, name=HOSTILE, names=(HOSTILE, *CLASSES.names[1:]))

    def comparison(self) -> Comparison:
        one = result(Cell(HOSTILE, HOSTILE, 1, 0), scores(self.CLASSES, dict.fromkeys(self.CLASSES.names, 0.5)), 3)
        return Comparison(HOSTILE, [one], self.CLASSES, {HOSTILE: {}}, {HOSTILE: HOSTILE})

    def assert_harmless(self, text: str) -> None:
        assert "<script" not in text
        assert "[x](javascript" not in text, "the bracket is escaped: no link"
        assert "\x1b" not in text
        assert "\u202e" not in text

    def test_markdown_of_a_comparison(self) -> None:
        text = markdown(self.comparison())
        self.assert_harmless(text)
        assert r"&lt;script>alert(1)&lt;/script> \[x\](javascript:y) \| \`c\`" in text

    def test_latex_of_a_comparison(self) -> None:
        text = latex(self.comparison())
        self.assert_harmless(text)
        assert text.count(r"\end{tabular}") == 1
        assert r"\textbackslash{}end\{tabular\} \%" in text

    def test_the_card_of_an_export(self, tmp_path: Path) -> None:
        made = account(version=HOSTILE, method=HOSTILE, first_weights=HOSTILE, departures={HOSTILE: HOSTILE})
        one = scores(self.CLASSES, dict.fromkeys(self.CLASSES.names, 0.5))
        one.save(tmp_path / "scores.json", split=HOSTILE, frames=3, network_size=[64, 48])
        text = card(
            tmp_path / "<script>.onnx",
            "ONNX",
            False,
            build_segmenter(classes=self.CLASSES, architecture="tiny"),
            made,
            tmp_path,
            [],
        )
        self.assert_harmless(text)
        assert "Split &lt;/td>&lt;script>" in text

    def test_markup_in_a_name_is_no_style_on_the_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        odd = replace(CLASSES, names=("[/red]", *CLASSES.names[1:]))
        print_scores({"[/x] run": scores(odd, dict.fromkeys(odd.names, 0.5))})
        printed = capsys.readouterr().out
        assert "[/red]" in printed
        assert "[/x] run" in printed
