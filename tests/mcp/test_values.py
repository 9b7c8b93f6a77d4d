"""Values of every SQL type and text of every script, on the wire and in words."""

from __future__ import annotations

import json

import pytest
from mcp import Client

from tests.mcp.calling import Served, call, rows, text

pytestmark = pytest.mark.anyio

TYPES = """
SELECT 'nan'::DOUBLE AS nan, 'inf'::DOUBLE AS inf, '-inf'::FLOAT AS minus_inf,
  123456789012345678901234567.89::DECIMAL(38,2) AS money,
  170141183460469231731687303715884105727::HUGEINT AS huge,
  18446744073709551615::UBIGINT AS unsigned, 9007199254740993::BIGINT AS odd,
  INTERVAL '1 year 2 months 3 days 04:05:06' AS span,
  '\\x00\\xFFab'::BLOB AS bytes, '10110'::BIT AS bits,
  TIMESTAMPTZ '2026-03-29 02:30:00+01' AS moment, TIMESTAMP '1066-10-14 09:00:00' AS old,
  DATE '9999-12-31' AS late, TIME '23:59:59.999999' AS noon,
  gen_random_uuid() IS NOT NULL AS made, 'a'::ENUM('a', 'b') AS chosen,
  {'x': [1, NULL], 'y': {'z': 'nan'::DOUBLE}} AS nested, MAP {'k': DATE '2026-01-01'} AS pairs,
  [DATE '2026-01-01', NULL] AS days, NULL AS nothing, true AS yes
"""
TEXTS = [
    "Ünïcödé", "Ελληνικά", "Кириллица", "עברית", "العربية", "हिन्दी", "தமிழ்", "ไทย", "한국어", "日本語", "汉字",
    "ქართული", "አማርኛ", "ᠮᠣᠩᠭᠣᠯ", "𐎀𐎁 𓀀 𝔘𝔫𝔦", "👩‍👩‍👧‍👦 🇪🇺 e\u0301", "می‌خواهم", "NULL", "", " ", "a|b", "back\\slash", "quote'\"",
    "tab\tnew\nline\r\n", "\u2028\u2029", "\x1b[31mred", "bell\x07", "\ufeffmark", "\ufffd", "{json: 1}", "<b>&amp;</b>",
]  # fmt: skip


async def test_every_type_is_json_that_any_parser_reads(client: Client) -> None:
    result = await call(client, "sql", statement=TYPES)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads(json.dumps(result, allow_nan=False), parse_constant=refuse) == result
    types = {column["name"]: column["type"] for column in result["columns"]}
    row = dict(zip(types, result["rows"][0], strict=True))
    assert (row["nan"], row["inf"], row["minus_inf"]) == ("NaN", "Infinity", "-Infinity")
    assert (types["money"], row["money"]) == ("DECIMAL(38,2)", "123456789012345678901234567.89")
    assert (types["huge"], row["huge"]) == ("HUGEINT", "170141183460469231731687303715884105727")
    # Beyond 2**53 a number loses digits in most JSON parsers.
    assert row["unsigned"] == "18446744073709551615"
    assert row["odd"] == "9007199254740993"
    assert (types["span"], isinstance(row["span"], str)) == ("INTERVAL", True)
    assert types["moment"] == "TIMESTAMP WITH TIME ZONE"
    assert row["moment"].startswith("2026-03-29 01:30:00")
    assert (row["late"], row["noon"], row["chosen"], row["nothing"]) == ("9999-12-31", "23:59:59.999999", "a", None)
    assert row["nested"] == {"x": [1, None], "y": {"z": "NaN"}}
    assert row["days"] == ["2026-01-01", None]
    said = await text(client, "sql", statement=TYPES)
    for name in ("money", "huge", "moment", "span", "bytes"):
        assert str(row[name]).replace("\\", "\\\\") in said


@pytest.mark.parametrize("written", TEXTS, ids=range(len(TEXTS)))
async def test_text_of_any_script_comes_back_as_it_was(client: Client, written: str) -> None:
    assert await rows(client, "SELECT ? AS x", params=[written]) == [[written]]
    if "\0" not in written:
        literal = written.replace("'", "''")
        assert await rows(client, f"SELECT '{literal}' AS x") == [[written]]


async def test_in_words_a_row_is_a_line_whatever_is_in_it(client: Client) -> None:
    said = (await text(client, "sql", statement="SELECT unnest($texts::VARCHAR[]) AS x", params={"texts": "[]"})).split(
        "\n"
    )
    assert said[0] == "x VARCHAR"
    said = (await text(client, "sql", statement="SELECT ? AS x, ? AS y, ? AS z", params=TEXTS[-10:-7])).split("\n")
    assert len(said) == 3
    for each in TEXTS:
        lines = (await text(client, "sql", statement="SELECT ? AS x, NULL AS y", params=[each])).split("\n")
        assert len(lines) == 3
        assert lines[1].endswith(" | NULL")
        assert lines[1] != "NULL | NULL"
        assert not any(ord(character) < 32 for character in lines[1])


async def test_names_of_any_script_are_columns(own: Served, era: str) -> None:
    path = own.put("столбцы.csv", "имя,年齢,with space,select\nАда,36,x,y\n")
    async with own.connected(era) as client:
        report = await call(client, "ingest", source=path)
        assert [each["column"] for each in report["inferred"]] == ["имя", "年齢", "with space", "select"]
        statement = f'SELECT "имя", "年齢", "with space", "select" FROM "{report["dataset"]}"'
        assert await rows(client, statement) == [["Ада", 36, "x", "y"]]


async def test_half_a_surrogate_pair_is_refused_and_harms_nobody(client: Client) -> None:
    result = await client.call_tool("sql", {"statement": "SELECT '\ud800'"})
    assert result.is_error
    assert await rows(client, "SELECT 1") == [[1]]
