import pytest

from bench import compare

HEX = "01a1f84fe4937e65a670ca3f25a872b1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("crt_" + HEX, HEX),
        ("01a1f84f-e493-7e65-a670-ca3f25a872b1", HEX),
        ("9007199254740991", 9007199254740991),
        ("2026-05-01T00:00:00.123Z", "2026-05-01 02:00:00.123456+02"),
        ({"cursor": "a", "id": HEX}, {"cursor": "b", "id": HEX}),
        ({"stats": {"views": 1}}, {"views": "1"}),
        ({"nodes": [1]}, [1]),
    ],
)
def test_what_means_the_same_is_the_same(one: object, other: object) -> None:
    assert compare.difference(compare.normal(one), compare.normal(other)) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1, 2], [2, 1]),
        ([1], [1, 2]),
        ({"a": None}, {}),
        ({"a": True}, {"a": 1}),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}),
        ("2026-05-01T00:00:00.123Z", "2026-05-01T00:00:00.124Z"),
        ("crt_" + HEX, "crt_" + HEX[::-1]),
        (None, 0),
    ],
)
def test_what_differs_is_told(one: object, other: object) -> None:
    assert compare.difference(compare.normal(one), compare.normal(other))


def test_a_difference_names_its_place() -> None:
    told = compare.difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]})
    assert told == ".a[0].b: 1 instead of 2"
