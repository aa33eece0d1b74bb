//! Clients of databases.

use crate::context::{Context, Input};
use crate::meaning::{Call, opaque, queried, query};
use model::{Origin, QueryClass};
use programs::Role;

/// `psql`, `mysql`, `sqlite3`: SQL from options is a role; here what comes from standard input.
pub(super) fn sql_client(cx: &mut Context<'_>, call: &mut Call, _reader: &str) {
    if call.found.stop {
        return;
    }
    let given = call.found.roles.iter().any(|(role, _)| matches!(role, Role::Code(_) | Role::Script));
    if given {
        return;
    }
    let span = call.span();
    match call.inv.stdin.clone() {
        Input::Text(text) => query(cx, call, Some(&text), span),
        Input::Inherit | Input::Null => {}
        Input::Pipe { origin, .. } => {
            opaque(cx, call, "the SQL it reads is not known".to_owned(), origin, span);
            queried(cx, call, QueryClass::Unknown, span);
        }
        Input::File(_) | Input::Unknown => {
            opaque(cx, call, "the SQL it reads is not known".to_owned(), Origin::Unknown, span);
            queried(cx, call, QueryClass::Unknown, span);
        }
    }
}

/// Commands of redis that only read. From its command reference, version 7.
const REDIS_READS: &[&str] = &[
    "get",
    "mget",
    "strlen",
    "exists",
    "type",
    "ttl",
    "pttl",
    "keys",
    "scan",
    "hget",
    "hgetall",
    "hkeys",
    "hvals",
    "hlen",
    "hmget",
    "hexists",
    "hscan",
    "lrange",
    "llen",
    "lindex",
    "smembers",
    "scard",
    "sismember",
    "sscan",
    "srandmember",
    "zrange",
    "zrangebyscore",
    "zcard",
    "zscore",
    "zrank",
    "zcount",
    "zscan",
    "xrange",
    "xlen",
    "xinfo",
    "ping",
    "info",
    "dbsize",
    "randomkey",
    "getrange",
    "bitcount",
    "pfcount",
    "echo",
    "time",
    "lastsave",
    "memory",
    "object",
    "command",
    "geopos",
    "geodist",
    "select",
    "expiretime",
];
const REDIS_WRITES: &[&str] = &[
    "set", "setex", "psetex", "setnx", "mset", "append", "incr", "incrby", "decr", "decrby", "hset", "hmset",
    "hsetnx", "hincrby", "lpush", "rpush", "lset", "linsert", "sadd", "smove", "zadd", "zincrby", "xadd",
    "expire", "pexpire", "persist", "rename", "pfadd", "publish", "getset", "copy", "touch", "del", "unlink",
    "hdel", "lpop", "rpop", "lrem", "ltrim", "srem", "spop", "zrem", "xdel", "getdel",
];
const REDIS_DROPS: &[&str] = &["flushall", "flushdb", "swapdb"];

/// `redis-cli COMMAND ARGS…`.
pub(super) fn redis(cx: &mut Context<'_>, call: &mut Call) {
    if call.found.stop {
        return;
    }
    let span = call.span();
    let words =
        call.found.operands.iter().chain(call.found.argv.iter().flatten()).cloned().collect::<Vec<_>>();
    let Some(first) = words.first() else {
        match &call.inv.stdin {
            Input::Inherit | Input::Null => {}
            _ => {
                opaque(cx, call, "the commands it reads are not known".to_owned(), Origin::Inline, span);
                queried(cx, call, QueryClass::Unknown, span);
            }
        }
        return;
    };
    let command = first.known().map(|c| c.to_ascii_lowercase());
    let class = match command.as_deref() {
        Some(c) if REDIS_READS.contains(&c) => QueryClass::Read,
        Some(c) if REDIS_WRITES.contains(&c) => QueryClass::Write,
        Some(c) if REDIS_DROPS.contains(&c) => QueryClass::Drop,
        Some(
            "config" | "acl" | "client" | "cluster" | "debug" | "shutdown" | "save" | "bgsave"
            | "bgrewriteaof" | "replicaof" | "slaveof" | "module" | "failover" | "migrate" | "restore"
            | "latency" | "slowlog" | "monitor",
        ) => {
            let reads =
                words.get(1).and_then(programs::Field::known).is_some_and(|w| w.eq_ignore_ascii_case("get"));
            if reads && command.as_deref() == Some("config") { QueryClass::Read } else { QueryClass::Admin }
        }
        _ => {
            let why = format!("the command `{}` of redis is not understood", first.shown());
            opaque(cx, call, why, Origin::Inline, first.span);
            QueryClass::Unknown
        }
    };
    queried(cx, call, class, span);
}
