"""Tables and bars as text."""

from __future__ import annotations

import pytest
from progress_client.command.tables import Cell, Column, TerminalStyle, bar, clean, cut, table

COLUMNS = [Column("ID", right=True), Column("NAME", least=6), Column("KIND", drop=2), Column("STAGE", least=8, drop=1)]
ROWS = [["7", Cell("vision-033", "bold"), "vision", "Processing 44/120"], ["12", "画像", "ocr", "Completed"]]


def test_a_table_has_heads_and_its_columns_stand_below_each_other() -> None:
    assert table(COLUMNS, ROWS) == [
        "ID  NAME        KIND    STAGE",
        " 7  vision-033  vision  Processing 44/120",
        "12  画像        ocr     Completed",
    ]


@pytest.mark.parametrize(
    ("most", "line"),
    [
        (41, " 7  vision-033  vision  Processing 44/120"),
        (32, " 7  vision-033  vision  Process…"),
        (28, " 7  visio…  vision  Process…"),
        (27, " 7  vision-033  vision"),
        (18, " 7  visio…  vision"),
        (17, " 7  vision-033"),
        (12, " 7  vision-…"),
        (10, " 7  visio…"),
        (3, " 7  visio…"),
    ],
)
def test_what_is_too_wide_shrinks_from_the_right_and_then_is_left_out(most: int, line: str) -> None:
    assert table(COLUMNS, ROWS, TerminalStyle(width=most))[1] == line


def test_styles_take_no_place() -> None:
    painted = table(COLUMNS, ROWS, TerminalStyle(colour=True))
    assert painted[1] == " 7  \x1b[1mvision-033\x1b[0m  vision  Processing 44/120"


@pytest.mark.parametrize(
    ("percent", "settled", "mark", "drawn"),
    [
        (0, 0, 100, "[░░░░░░░░░░]"),
        (58, 64, 90, "[█████▒░░░│]"),
        (58, 64, 100, "[█████▒░░░░]"),
        (95, 95, 90, "[█████████░]"),
        (100, 100, 90, "[██████████]"),
        (40, 100, 0, "[████▒▒▒▒▒▒]"),
        (40, None, None, "[████░░░░░░]"),
        (None, None, 90, "[    ?     ]"),
    ],
)
def test_a_bar_shows_what_is_done_what_failed_and_where_it_completes(
    percent: int | None, settled: int | None, mark: int | None, drawn: str
) -> None:
    assert bar(percent, settled, length=10, mark=mark) == drawn


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\tb\nc", "a b c"), ("\x1b[31mred", "·[31mred"), ("\u202eevil", "·evil"), ("é画", "é画"), ("a\x9bb", "a·b")],
)
def test_a_text_is_one_line_without_what_a_terminal_obeys(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(("most", "shown"), [(9, "画像セ"), (6, "画像セ"), (5, "画像…"), (4, "画…"), (1, "…"), (0, "")])
def test_a_text_is_cut_by_the_places_that_it_takes(most: int, shown: str) -> None:
    assert cut("画像セ", most) == shown
