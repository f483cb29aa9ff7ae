import pytest

from pixda.data.classes import ClassSet


@pytest.fixture(scope="session")
def classes():
    names = ("road", "building", "sky", "person", "car")
    return ClassSet(
        name="five",
        names=names,
        colours=tuple((40 * index, 0, 0) for index in range(len(names))),
        protocols={"5": tuple(range(len(names)))},
        raw_ids={"own": {index: index for index in range(len(names))}},
    )
