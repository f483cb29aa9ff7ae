"""A method that the report has never heard of: nothing but its class and its entry in METHODS."""

from dataclasses import dataclass

from pixda.__main__ import main
from pixda.methods import METHODS
from pixda.methods.method import Method
from pixda.phases.supervised import Supervised
from runs import two_domains, words


@dataclass(frozen=True)
class Toy(Method):
    """Pretrain, then polish."""

    title = "toy method"

    polish_steps: int = 4
    """Steps of polishing."""

    def phases(self):
        polish = Supervised(name="polish", on="both", **self.shared(self.polish_steps))
        polish.about = "Polishes what the pretraining left."
        return [self.pretrain(), polish]


def test_a_new_method_is_told_with_its_title_its_phases_and_their_curves(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "toy", Toy)
    root = two_domains(tmp_path)
    given = words(root, tmp_path / "run", "--recipe.pretrain_steps=4", "--method=toy", method="source_only")
    given = [word for word in given if word not in ("--method=source_only", "--recipe.more_steps=6")]
    assert main(given) == 0
    assert main(["report", str(tmp_path / "run")]) == 0
    text = " ".join((tmp_path / "run/report/report.html").read_text().split())
    assert "toy method" in text
    assert "Polishes what the pretraining left." in text
    assert (tmp_path / "run/report/figures/curves_polish.png").is_file()
