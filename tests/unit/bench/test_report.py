from bench import report, roster


def row(contender: str, run: int, rps: float) -> dict[str, object]:
    return {"contender": contender, "operation": "small", "connections": 64, "run": run, "rps": rps}


def test_a_ratio_is_the_median_of_the_runs_not_of_the_contenders() -> None:
    found = [row(roster.OURS, 0, 10), row(roster.MERCURIUS, 0, 5)]
    found += [row(roster.OURS, 1, 100), row(roster.MERCURIUS, 1, 10)]
    found += [row(roster.OURS, 2, 1), row(roster.MERCURIUS, 2, 1)]
    assert report.ratio(found, roster.OURS, roster.MERCURIUS, "small", 64) == 2


def test_the_best_hand_written_is_one_and_the_same_whoever_had_luck_in_a_round() -> None:
    rows, concat, _ = roster.HANDWRITTEN
    found = [row(rows, 0, 1), row(concat, 0, 3), row(rows, 1, 7), row(concat, 1, 5), row(rows, 2, 2)]
    found.append(row(concat, 2, 4))
    assert report.by_run(found, report.BEST, "small", 64) == {0: 3, 1: 5, 2: 4}


def test_who_did_not_run_has_no_ratio() -> None:
    assert report.ratio([row(roster.OURS, 0, 10)], roster.OURS, roster.MERCURIUS, "small", 64) is None
