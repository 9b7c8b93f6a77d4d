"""Every span attribute that we set or let out, by its semantic-convention name.

The GenAI and MCP conventions are in development (open-telemetry/semantic-conventions-genai): a rename
there is a change here and nowhere else.
"""

from __future__ import annotations

DB_SYSTEM_NAME = "db.system.name"
DB_OPERATION_NAME = "db.operation.name"
DB_COLLECTION_NAME = "db.collection.name"
DB_QUERY_SUMMARY = "db.query.summary"
DB_QUERY_TEXT = "db.query.text"
DB_RETURNED_ROWS = "db.response.returned_rows"
ERROR_TYPE = "error.type"
NETWORK_TRANSPORT = "network.transport"
MCP_METHOD = "mcp.method.name"
MCP_PROTOCOL_VERSION = "mcp.protocol.version"
MCP_SESSION_ID = "mcp.session.id"
GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_TOOL = "gen_ai.tool.name"
GEN_AI_TOOL_CALL_ID = "gen_ai.tool.call.id"
GEN_AI_PROVIDER = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_MAX_TOKENS = "gen_ai.request.max_tokens"
GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_INPUT_MESSAGES = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES = "gen_ai.output.messages"
# What we name ourselves: LAKEHOUSE + "dataset" and so on.
LAKEHOUSE = "lakehouse."

# Names, counts and codes: no statement, argument, message or cell value is among them.
SAFE = frozenset(
    {
        DB_SYSTEM_NAME,
        DB_OPERATION_NAME,
        DB_COLLECTION_NAME,
        DB_QUERY_SUMMARY,
        DB_RETURNED_ROWS,
        ERROR_TYPE,
        NETWORK_TRANSPORT,
        MCP_METHOD,
        MCP_PROTOCOL_VERSION,
        MCP_SESSION_ID,
        "jsonrpc.request.id",
        "rpc.response.status_code",
        GEN_AI_OPERATION,
        GEN_AI_TOOL,
        GEN_AI_TOOL_CALL_ID,
        GEN_AI_PROVIDER,
        GEN_AI_REQUEST_MODEL,
        GEN_AI_MAX_TOKENS,
        GEN_AI_INPUT_TOKENS,
        GEN_AI_OUTPUT_TOKENS,
        GEN_AI_FINISH_REASONS,
        "gen_ai.prompt.name",
        *(
            LAKEHOUSE + name
            for name in (
                "dataset",
                "version",
                "kind",
                "mode",
                "rows",
                "rows_added",
                "rows_updated",
                "rows_rejected",
                "bytes",
                "files",
                "columns",
                "truncated",
                "unchanged",
                "attempts",
            )
        ),
    }
)


def full_name(name: str) -> str:
    """A short name as an attribute of ours (`dataset` → `lakehouse.dataset`); a dotted one stays."""
    return name if "." in name else LAKEHOUSE + name
