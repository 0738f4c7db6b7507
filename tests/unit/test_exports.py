"""CSV files: what is written can be read back, and no cell is a formula."""

from __future__ import annotations

import csv
import io
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exports import CELL_CHARACTERS_MAX, EXPORT_BYTES_MAX, Export, render_cell, write_csv

SNOWFLAKE = 1_234_567_890_123_456_789


class Kind(StrEnum):
    GRANT = "grant"


class Level(IntEnum):
    HIGH = 3


def read(export: Export) -> list[list[str]]:
    text = export.data.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_a_table_is_written_as_excel_reads_it() -> None:
    """Byte order mark, commas, CRLF at each end of a row, quotes only where needed."""
    export = write_csv(["who", "why"], [["가을", 'said "yes", twice'], ["b", None]])
    expected = '\ufeffwho,why\r\n가을,"said ""yes"", twice"\r\nb,\r\n'
    assert export == Export(data=expected.encode(), rows=2, left_out=0)


def test_a_table_without_rows_is_its_header() -> None:
    assert read(write_csv(["a", "b"], [])) == [["a", "b"]]


@pytest.mark.parametrize(
    "attack",
    [
        "=1+1",
        "+1+1",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "\u202e=1",
        "\ufeff=1",
        "\x00=1",
        "＝1+1",
        "＠SUM(1)",
    ],
)
def test_a_formula_is_defused(attack: str) -> None:
    [_, [cell]] = read(write_csv(["text"], [[attack]]))
    assert cell[0] == "'"
    assert cell[1] in "=+-@＝＠"


@pytest.mark.parametrize("attack", ["a;=1+1", 'a; "=1+1', "x|@SUM(1)", ";'=1"])
def test_a_formula_behind_another_list_separator_is_defused(attack: str) -> None:
    cell = render_cell(attack)
    for separator in ";|":
        assert not any(part.strip(' "').startswith(("=", "@")) for part in cell.split(separator))


def test_a_header_is_defused_too() -> None:
    assert read(write_csv(["=1"], [])) == [["'=1"]]


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_no_text_starts_a_formula_or_a_second_line(rows: list[list[str]]) -> None:
    export = write_csv(["a", "b"], rows)
    assert export.data.count(b"\r\n") == len(rows) + 1
    assert export.data.count(b"\n") == len(rows) + 1
    back = read(export)
    assert [len(row) for row in back] == [2] * (len(rows) + 1)
    for cell in (cell for row in back for cell in row):
        assert not unicodedata.normalize("NFKC", cell[:1]).startswith(("=", "+", "-", "@"))


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp", "Cn"])))
def test_ordinary_text_comes_back_without_its_apostrophe(text: str) -> None:
    """All but a formula behind a foreign separator, which is changed for good."""
    kept = text.replace(";", "").replace("|", "").strip()
    assert render_cell(kept).removeprefix("'") == kept


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (0, "0"),
        (-5, "-5"),
        (999_999_999_999_999, "999999999999999"),
        (-2.5, "-2.5"),
        (Decimal("1.10"), "1.10"),
        (True, "true"),
        (False, "false"),
        (Kind.GRANT, "grant"),
        (Level.HIGH, "3"),
        (date(2026, 2, 28), "2026-02-28"),
        (datetime(2026, 11, 23, 1, 2, 3, 4567, tzinfo=UTC), "2026-11-23T01:02:03.004Z"),
        (datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=9))), "2026-11-23T00:00:00.000Z"),
        ({"cap": 30, "때": None}, '{"cap":30,"때":null}'),
        ([1, "a"], '[1,"a"]'),
        ({"until": datetime(2026, 1, 1, tzinfo=UTC)}, '{"until":"2026-01-01T00:00:00.000Z"}'),
        ({"kind": Decimal("1.5")}, '{"kind":"1.5"}'),
        ("", ""),
        ("a\r\nb\tc\x07d\u2028e", "a  b c d e"),
        ("👩\u200d🎨", "👩\u200d🎨"),
        ("\ud800", "?"),
        ("'quoted'", "''quoted'"),
    ],
)
def test_each_kind_of_value_has_one_form(value: object, cell: str) -> None:
    assert render_cell(value) == cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (SNOWFLAKE, f"'{SNOWFLAKE}"),
        (-(10**15), "'-1000000000000000"),
        (str(SNOWFLAKE), f"'{SNOWFLAKE}"),
        ("0042", "'0042"),
        ("12e45", "'12e45"),
        ("1,5", "'1,5"),
        ("job-12", "job-12"),
        ("12 cats", "12 cats"),
    ],
)
def test_a_spreadsheet_neither_rounds_an_id_nor_reads_a_number_into_text(value: object, cell: str) -> None:
    assert render_cell(value) == cell


def test_a_long_cell_is_cut_where_excel_would_cut_it() -> None:
    assert len(render_cell("=" * 40_000)) <= CELL_CHARACTERS_MAX
    assert render_cell("a" * 40_000).endswith("a…")


def test_rows_past_the_bound_are_counted_and_left_out() -> None:
    export = write_csv(["n"], ([n] for n in range(10)), bytes_max=20)
    assert len(export.data) <= 20
    assert (export.rows, export.left_out) == (4, 6)
    assert read(export) == [["n"], ["0"], ["1"], ["2"], ["3"]]
    assert EXPORT_BYTES_MAX == 8 * 1024 * 1024


def test_a_file_exactly_at_the_bound_is_whole() -> None:
    whole = write_csv(["n"], [[1], [2]])
    assert write_csv(["n"], [[1], [2]], bytes_max=len(whole.data)) == whole
    assert write_csv(["n"], [[1], [2]], bytes_max=len(whole.data) - 1).left_out == 1


def test_what_has_no_form_is_refused() -> None:
    naive = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    with pytest.raises(ValueError, match="2026"):
        write_csv(["at"], [[naive]])
    with pytest.raises(TypeError, match="bytes"):
        write_csv(["data"], [[b"x"]])
    with pytest.raises(ValueError, match="2"):
        write_csv(["one"], [[1, 2]])
