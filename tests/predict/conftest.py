import pytest

from runs import quick_run


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    return quick_run(tmp_path_factory.mktemp("model"))
