//! `mcp-probe LOG`: a tiny MCP server over stdio, for trying what stands between an agent and its servers.
//!
//! Tools: `write_record` (destructive), `read_record` (read-only; answers with `$PROBE_RECORD`, if set) and `fail`
//! (an MCP error result that carries `$PROBE_RECORD` too). Every message is appended to LOG as one line of JSON,
//! so a test sees which calls arrived.

use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("mcp-probe: {e}");
            ExitCode::from(70)
        }
    }
}

fn serve() -> std::io::Result<()> {
    let path = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: mcp-probe LOG"))?;
    let mut log = File::options().create(true).append(true).open(path)?;
    let record = std::env::var("PROBE_RECORD").unwrap_or_else(|_| "an ordinary record".to_owned());
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(message) = serde_json::from_str::<Value>(&line?) else { continue };
        let (method, params) = (&message["method"], &message["params"]);
        log.write_all(format!("{}\n", json!({"method": method, "params": params})).as_bytes())?;
        if message["id"].is_null() {
            continue;
        }
        let answer = match answer(method.as_str().unwrap_or_default(), params, &record) {
            Some(result) => json!({"jsonrpc": "2.0", "id": message["id"], "result": result}),
            None => {
                json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no such method"}})
            }
        };
        out.write_all(format!("{answer}\n").as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

fn answer(method: &str, params: &Value, record: &str) -> Option<Value> {
    Some(match method {
        "initialize" => json!({
            "protocolVersion": params["protocolVersion"].as_str().unwrap_or("2025-06-18"),
            "capabilities": {"tools": {}}, "serverInfo": {"name": "probe", "version": "1.0"}}),
        "ping" => json!({}),
        "tools/list" => json!({"tools": tools()}),
        "tools/call" => call(params["name"].as_str().unwrap_or_default(), &params["arguments"], record),
        _ => return None,
    })
}

fn tools() -> Value {
    let input =
        json!({"type": "object", "properties": {"key": {"type": "string"}, "value": {"type": "string"}}});
    json!([
        {"name": "write_record", "description": "Write a record to the production store", "inputSchema": input,
         "annotations": {"readOnlyHint": false, "destructiveHint": true}},
        {"name": "read_record", "description": "Read a record", "inputSchema": input, "annotations": {"readOnlyHint": true}},
        {"name": "fail", "description": "Always fails", "inputSchema": input},
    ])
}

fn call(name: &str, arguments: &Value, record: &str) -> Value {
    let text =
        |text: String, failed: bool| json!({"content": [{"type": "text", "text": text}], "isError": failed});
    match name {
        "write_record" => text(format!("written {arguments}"), false),
        "read_record" => text(format!("record={record}"), false),
        "fail" => text(format!("failed with record={record}"), true),
        other => text(format!("no tool `{other}`"), true),
    }
}
