"""Progress of a count: on stderr only, and only now and then."""

from msaf_bench.cli import counting


def test_lines_are_rare_and_on_stderr(capsys, monkeypatch):
    with counting.counting("pairs scored", 2) as step:
        step()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(counting, "PLAIN_S", -1)
    with counting.counting("[pairs] scored", 2) as step:
        step()
        step()
    assert capsys.readouterr() == ("", "[pairs] scored 1/2\n[pairs] scored 2/2\n")
