"""The last phase: the teacher stands still, the optimiser goes on."""

from descent import same, weights_of
from making import make
from pixda.phases.distillation import Distillation
from pixda.phases.supervised import Supervised


def test_the_teacher_is_a_frozen_copy_in_eval_mode(context, pair):
    phase = make(Distillation, context)
    before = weights_of(phase.teacher)
    student = weights_of(context.segmenter)
    for _ in range(3):
        phase.step(pair)
    assert not phase.teacher.training
    assert not any(p.requires_grad for p in phase.teacher.parameters())
    assert same(before, phase.teacher)
    assert not same(student, context.segmenter)


def test_the_optimiser_and_its_decay_go_on_from_the_phase_before(context, pair):
    before = make(Supervised, context)
    before.step(pair)
    before.step(pair)
    phase = make(Distillation)
    phase.prepare(context, before.segmenter)
    assert phase.segmenter is before.segmenter
    assert phase.segmenter.steps == 2


def test_the_teacher_survives_in_the_state(context, pair):
    phase = make(Distillation, context)
    state = weights_of(phase.teacher)
    for _ in range(2):
        phase.step(pair)
    again = make(Distillation, context)  # its teacher is now a copy of the moved student
    again.load_state_dict({"teacher": state})
    assert same(state, again.teacher)
