"""`pixda plan`: what is said of cards, and what a run does with the option that it names."""

import pytest

from pixda.__main__ import main
from pixda.planning.cards import Needs, plan
from pixda.planning.memory import Memory
from runs import two_domains, words

GB = 2**30


def fitting(kept, again, gigabytes):
    card = plan(Needs(kept, again), 4, gigabytes)
    return card.largest, card.fits, card.recompute, card.at_a_time


def test_what_does_not_fit_at_once_goes_in_parts():
    memories = [Memory("a", GB, GB, GB * 3 // 4), Memory("b", GB // 2, 2 * GB, GB)]
    # On 11 GB there are 9.1 of room: phase b takes 0.5 + 4 * 2, and 0.5 + 4 * 2 - 1 with 3 at a time.
    assert fitting(memories, [], 11) == (4, True, False, None)
    # 6.4 GB: 8.5 at once, 6.5 with 2 at a time, 5.5 with 1.
    assert fitting(memories, [], 8) == (2, True, False, 1)
    assert fitting(memories, [], 4) == (1, False, False, None)
    # 2.8 GB: 0.5 + 4 - 3 * 0.75 with its blocks computed again, too.
    assert fitting(memories[1:], [Memory("b", GB // 2, GB, GB * 3 // 4)], 4) == (1, True, True, 1)


def test_batch_statistics_keep_a_batch_together():
    kept, again = [Memory("a", GB, 2 * GB, None)], [Memory("a", GB, GB, None)]
    assert fitting(kept, again, 11) == (4, True, False, None)
    assert fitting(kept, again, 8) == (2, True, True, None)
    assert fitting(kept, [], 8) == (2, False, False, None)


def test_a_plan_needs_no_data(tmp_path, capsys):
    given = words(tmp_path / "nowhere", tmp_path / "out", "--card=8", "--recipe.pretrain_steps=1", method="source_only")
    assert main(["plan", *given[1:]]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "For 8 GB: it fits as it is." in told
    assert not (tmp_path / "out").exists()


def test_without_a_card_its_size_is_asked_for(tmp_path, capsys):
    assert main(["plan", *words(tmp_path, tmp_path / "out", method="source_only")[1:]]) == 1
    assert "--card" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--network.architecture=mobile_deeplab", "--network.options={frozen_statistics: false}"], "of the batch"),
        (["--machine.images_at_a_time=0"], "1 or more"),
        (["--machine.recompute_blocks=true"], "no blocks that can be computed again"),
    ],
)
def test_parts_that_would_change_the_result_are_refused(tmp_path, capsys, more, told):
    root = two_domains(tmp_path)
    given = words(root, tmp_path / "out", "--machine.images_at_a_time=1", *more, method="source_only")
    assert main(given) == 1
    assert told in capsys.readouterr().err


def test_memory_settings_change_no_bit(tmp_path):
    root = two_domains(tmp_path)
    network = ["--network.architecture=mobile_deeplab", "--network.options={width: 12, frozen_blocks: 0}"]
    given = [*network, "--recipe.pretrain_steps=2", "--recipe.more_steps=1"]
    settings = {
        "plain": ["--machine.hold_memory=false"],
        "held": [],
        "again": ["--machine.recompute_blocks=true"],
    }
    for name, more in settings.items():
        assert main(words(root, tmp_path / name, *given, *more, method="source_only")) == 0
    models = {(tmp_path / name / "model.safetensors").read_bytes() for name in settings}
    assert len(models) == 1
