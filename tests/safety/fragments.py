"""Hostile fragments and benign shells; the fuzz puts the one into the other."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

# Where a table may stand.
TABLES = (
    "read_text('${secret}')",
    "read_blob('${secret}')",
    "read_csv('${secret}')",
    "read_csv_auto('${secret}', header = true)",
    "read_parquet('${hidden}')",
    "parquet_scan(['${hidden}', '${stray_parquet}'])",
    "parquet_metadata('${trips_file}')",
    "read_json('${secret_json}')",
    "read_duckdb('${secret_db}')",
    "glob('${secret_dir}/*')",
    "sniff_csv('${secret}')",
    "'${secret}'",
    '"${secret}"',
    "'${hidden}'",
    '"${stray_parquet}"',
    'main."${hidden}"',
    "query('SELECT 1')",
    "query('FROM read_text(''${secret}'')')",
    "query_table('trips')",
    "query_table(['${secret}'])",
    "json_execute_serialized_sql('{}')",
    "destroy_external_resource('read_text', '${secret}')",
    "duckdb_settings()",
    "duckdb_views()",
    "duckdb_secrets()",
    "duckdb_logs()",
    "duckdb_tables()",
    "duckdb_views",
    "sqlite_master",
    "pg_catalog.pg_class",
    "information_schema.views",
    "pragma_database_list",
    "pragma_table_info('trips')",
    "which_secret('s3://a', 's3')",
    "enable_logging(storage := 'file', storage_path := '${new}')",
    "enable_profiling(save_location := '${new}/p.json')",
    "histogram('${secret}', canary)",
    "lake_system.operations",
    "vault",
    "result('${secret}')",
    '"trips@v${trips_v1}"',
    "arrow_scan(0, 0, 0)",
    "test_all_types()",
)
# Where a value may stand.
VALUES = (
    "getenv('${env}')",
    "current_setting('temp_directory')",
    "getvariable('x')",
    "nextval('s')",
    "write_log('x')",
    "sleep_ms(10)",
    "pg_sleep(1)",
    "current_query()",
    "txid_current()",
    "json_serialize_plan('FROM trips')",
    "json_serialize_sql('SELECT 1')",
    "json_deserialize_sql('{}')",
    "pg_get_viewdef(1)",
    "pg_get_constraintdef(1)",
    "get_block_size('memory')",
    "parse_duckdb_log_message('FileSystem', 'x')",
    "main.getenv('PATH')",
    "\"getenv\"('PATH')",
    "'${env}'.getenv()",
    "__internal_compress_string_utinyint('a')",
)
# Around a query `{Q}` of one column `n`, giving a query of one column `n`.
QUERY_SHELLS = (
    "SELECT n FROM ({Q}) s",
    "WITH c AS ({Q}) SELECT n FROM c",
    "WITH c AS MATERIALIZED ({Q}), d AS (SELECT * FROM c) SELECT n FROM d",
    "SELECT 1 AS n UNION ALL ({Q})",
    "({Q}) UNION ALL SELECT 2 AS n",
    "SELECT zone_id AS n FROM zones WHERE zone_id IN ({Q})",
    "SELECT (SELECT max(n) FROM ({Q})) AS n",
    "SELECT zone_id AS n FROM zones z WHERE EXISTS ({Q})",
    "SELECT s.n FROM zones z, LATERAL ({Q}) s",
    "SELECT s.n FROM zones z LEFT JOIN ({Q}) s ON true",
    "SELECT CASE WHEN false THEN (SELECT min(n) FROM ({Q})) ELSE 0 END AS n",
    "SELECT list_sum(ARRAY({Q}))::BIGINT AS n",
    "SELECT n FROM ({Q}) QUALIFY row_number() OVER (ORDER BY n) <= 5",
    "SELECT count(*) FILTER (WHERE n > 0) AS n FROM ({Q})",
    "SELECT max(n) OVER (ORDER BY n ROWS 1 PRECEDING) AS n FROM ({Q})",
    "SELECT zone_id AS n FROM zones ORDER BY (SELECT max(n) FROM ({Q})) LIMIT 3",
    "SELECT zone_id AS n FROM zones LIMIT (SELECT count(*) FROM ({Q}))",
    "WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT r.n + 1 FROM r WHERE r.n < (SELECT count(*) FROM ({Q}))) "
    "SELECT max(n) AS n FROM r",
    "SELECT (PIVOTED.a)::BIGINT AS n FROM (PIVOT (SELECT 'a' AS k, n FROM ({Q})) ON k IN ('a') USING max(n)) PIVOTED",
    "SELECT value::BIGINT AS n FROM (UNPIVOT (SELECT n FROM ({Q})) ON n)",
    "SELECT unnest(list(n)) AS n FROM ({Q})",
    "SELECT COLUMNS(lambda c: c = 'n') FROM ({Q})",
    "SELECT * REPLACE (n * 1 AS n) FROM ({Q})",
    "FROM ({Q}) SELECT n WHERE n IS NOT NULL",
    "SELECT n FROM ({Q}) USING SAMPLE 100%",
    "SELECT {'n': n}.n AS n FROM ({Q})",
    "SELECT count(*) AS n FROM (SUMMARIZE {Q})",
    "SELECT count(*) AS n FROM (DESCRIBE {Q})",
    "SELECT n FROM range((SELECT count(*) FROM ({Q}))) t(n)",
    "SELECT n FROM ({Q}) SEMI JOIN zones ON true",
    "SELECT n FROM ({Q}) POSITIONAL JOIN zones",
    "SELECT DISTINCT ON (n) n FROM ({Q})",
    "SELECT TRY_CAST(n AS BIGINT) AS n FROM ({Q}) GROUP BY ROLLUP (n)",
    "SELECT max(n)::BIGINT AS n FROM ({Q}) HAVING count(*) >= 0",
)
# The innermost query, over a table or with a value.
TABLE_CORES = (
    "SELECT count(*) AS n FROM {T}",
    "SELECT 1 AS n FROM {T} AS f",
    "FROM {T} SELECT 1 AS n",
    "SELECT 1 AS n FROM zones, {T} f",
    "SELECT 1 AS n FROM zones LEFT JOIN {T} f ON true",
)
VALUE_CORES = (
    "SELECT length({V}::VARCHAR) AS n",
    "SELECT zone_id AS n FROM zones WHERE {V}::VARCHAR <> 'x'",
    "SELECT list_transform([1], lambda x: x + length({V}::VARCHAR))[1] AS n",
    "SELECT len([y FOR y IN [{V}::VARCHAR]]) AS n",
    "SELECT CASE WHEN 1 = 2 THEN length({V}::VARCHAR) ELSE 1 END AS n",
    "SELECT count({V}) AS n FROM zones",
    "SELECT max(zone_id) AS n FROM zones GROUP BY {V}::VARCHAR",
    "SELECT coalesce(1, length({V}::VARCHAR)) AS n",
)
# Around a whole harmless query: the statement itself is the attack.
STATEMENTS = (
    "COPY ({Q}) TO '${new}/fuzz.csv'",
    "CREATE TABLE fuzz AS {Q}",
    "CREATE OR REPLACE VIEW trips AS {Q}",
    "INSERT INTO zones (zone_id) {Q}",
    "SET VARIABLE x = ({Q})",
    "PREPARE p AS {Q}",
    "EXPLAIN ANALYZE CREATE TABLE fuzz AS {Q}",
    "EXPLAIN COPY ({Q}) TO '${new}/fuzz.csv'",
    "WITH d AS (DELETE FROM trips RETURNING 1) {Q}",
    "WITH d AS (UPDATE trips SET fare = 0 RETURNING 1) SELECT * FROM d, ({Q})",
    "{Q}; DROP VIEW trips",
    "BEGIN; {Q}",
    "{Q};{Q}",
    "ATTACH ':memory:' AS m; {Q}",
    "CREATE MACRO upper(x) AS ({Q})",
    "CALL query(({Q})::VARCHAR)",
)
HARMLESS_TABLE, HARMLESS_VALUE = "zones", "'x'"
_OUTSIDE_QUOTES = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
_KEYWORDS = re.compile(
    r"\b(select|from|with|where|union|all|as|exists|join|lateral|group|order|by|limit)\b", re.IGNORECASE
)
_SPACES = (" ", "  ", "\n", "\t", " /* x */ ", " /**/ ", " -- y\n", "\r\n", "\u00a0")


def harmless() -> Iterator[str]:
    """Every shell around every core, with nothing hostile inside: each must be answered."""
    cores = [core.replace("{T}", HARMLESS_TABLE) for core in TABLE_CORES]
    cores += [core.replace("{V}", HARMLESS_VALUE) for core in VALUE_CORES]
    yield from cores
    for position, shell in enumerate(QUERY_SHELLS):
        yield shell.replace("{Q}", cores[position % len(cores)])


def hostile(count: int, seed: int) -> list[str]:
    """`count` different statements, each with one hostile fragment somewhere inside."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found[_noisy(_hostile(chance), chance)] = None
    return list(found)


def _hostile(chance: random.Random) -> str:
    kind = chance.choices(("table", "value", "statement"), weights=(6, 3, 2))[0]
    if kind == "statement":
        inner = _wrapped(chance.choice(TABLE_CORES).replace("{T}", HARMLESS_TABLE), chance, depth=1)
        return chance.choice(STATEMENTS).replace("{Q}", inner)
    if kind == "table":
        core = chance.choice(TABLE_CORES).replace("{T}", chance.choice(TABLES))
    else:
        core = chance.choice(VALUE_CORES).replace("{V}", chance.choice(VALUES))
    statement = _wrapped(core, chance, depth=chance.randint(0, 3))
    return f"EXPLAIN {statement}" if chance.random() < 0.1 else statement


def _wrapped(query: str, chance: random.Random, *, depth: int) -> str:
    for _ in range(depth):
        query = chance.choice(QUERY_SHELLS).replace("{Q}", query)
    return query


def _noisy(statement: str, chance: random.Random) -> str:
    """The same statement in another spelling: spaces, comments and letter case outside of quotes."""
    style = chance.choice((str.upper, str.lower, str.title, str))
    parts = _OUTSIDE_QUOTES.split(statement)
    for index in range(0, len(parts), 2):
        spaced = re.sub(" ", lambda _: chance.choice(_SPACES), parts[index]) if chance.random() < 0.5 else parts[index]
        parts[index] = _KEYWORDS.sub(lambda word: style(word[0]), spaced)
    return "".join(parts)
