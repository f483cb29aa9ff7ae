"""The protocol card."""

from dataclasses import replace

from comparisons import account, study
from pixda.comparison.card import WEIGHTS, card


def told(text, heading):
    """The cells of the table row that begins with a heading."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {heading} |")]
    return [cell.strip() for cell in line.split(" | ")[1:]][-1].removesuffix(" |")


def changed(comparison, made):
    """The comparison with the account that ``made`` gives for each cell; None for runs without a model."""
    return replace(comparison, results=[replace(one, made=made(one.cell)) for one in comparison.results])


SMALL = study(methods={"source only": (30, 0), "PixDA": (50, 1)}, shots=(1, 5), seeds=(0, 7))


def test_what_the_runner_says_and_what_the_accounts_say():
    text = card(SMALL)
    assert text.startswith("# GTA5 to Cityscapes: protocol\n")
    assert told(text, "shot lists") == "sha256 0123456789ab (1 shot)"
    assert told(text, "class set") == "cityscapes-19: 19 classes; means over 19, 16, 13"
    assert told(text, "image size") == "1024 x 512 (width x height)"
    assert told(text, "preset") == "paper"
    assert told(text, "scored weights") == WEIGHTS
    assert told(text, "shots of each city") == "1, 5"
    assert told(text, "seeds") == "0, 7"
    assert told(text, "machine") == "device = cpu, threads = 1"
    assert told(text, "version of PixDA") == "0.1.0, code c0de"
    assert "gta5, split all | cityscapes, split train | split val | drawn" in text
    assert "wall (0.66 %)" in text


def test_several_versions_are_said():
    text = card(changed(SMALL, lambda cell: account(version="0.2.0" if cell.seed else "0.1.0")))
    assert told(text, "version of PixDA") == (
        "runs were made by several versions: 0.1.0, code c0de (4 runs); 0.2.0, code c0de (4 runs)"
    )


def test_a_model_from_before_the_hash_of_the_code_does_not_stop_the_tables():
    account_without = {name: value for name, value in account().items() if name != "code"}
    text = card(changed(SMALL, lambda cell: account_without))
    assert told(text, "version of PixDA") == "0.1.0, code not recorded"


def test_each_row_has_its_method_its_departures_and_its_steps():
    def made(cell):
        if cell.row == "source only":
            return account(method="source_only", steps={"pretrain": 700, "more": 500})
        return account(
            departures={"alignment.difficulty": False, "crop": [320, 240]},
            steps={"adapt": 145 + cell.seed, "distil": 100},
        )

    text = card(changed(SMALL, made))
    rows = text.split("## Methods\n\n")[1].splitlines()[2:]
    assert rows[0].startswith("| source only | source\\_only, preset paper | none | pretrain 700, more 500 |")
    assert rows[1].startswith(
        "| PixDA | pixda, preset paper | alignment.difficulty = False, crop = \\[320, 240\\] "
        "| adapt 145 to 152, distil 100 |"
    )


def test_before_any_run_there_is_a_card_too():
    text = card(changed(SMALL, lambda cell: None))
    assert told(text, "version of PixDA") == "–"
    assert "| PixDA | – | – | – | – |" in text


def test_what_users_write_stays_in_its_cell():
    text = card(replace(SMALL, protocol={"data": "a | b\n\n# *no* heading <b>"}, title="x\n# y"))
    assert told(text, "data") == r"a \| b # \*no\* heading &lt;b>"
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# x # y: protocol"]
