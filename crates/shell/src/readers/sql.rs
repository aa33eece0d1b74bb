//! What a text of SQL would do to its database.

use model::QueryClass;
use sqlparser::ast::{
    CopyTarget, Expr, FromTable, Query, SelectItem, SetExpr, Statement, TableFactor, Value, ValueWithSpan,
};
use sqlparser::dialect::{Dialect, GenericDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

/// Texts longer than this (bytes) are not read.
const LIMIT: usize = 64 * 1024;
/// How deep expressions may nest.
const DEPTH: usize = 40;

/// Commands of psql that only show something or set how it is shown. From psql's documentation, version 17.
const PSQL_SHOWS: &[&str] = &[
    "l",
    "list",
    "conninfo",
    "x",
    "timing",
    "q",
    "a",
    "t",
    "pset",
    "encoding",
    "echo",
    "qecho",
    "errverbose",
    "sf",
    "sv",
    "z",
    "h",
    "copyright",
    "H",
    "C",
    "f",
    "T",
];
/// Commands of sqlite3 that only show something or set how it is shown. From its documentation, version 3.46.
const SQLITE_SHOWS: &[&str] = &[
    "tables",
    "schema",
    "headers",
    "header",
    "mode",
    "databases",
    "indexes",
    "indices",
    "dump",
    "width",
    "quit",
    "exit",
    "show",
    "nullvalue",
    "separator",
    "timer",
    "help",
    "stats",
    "echo",
    "bail",
    "changes",
    "dbinfo",
    "fullschema",
    "print",
    "eqp",
    "explain",
];
/// Functions that read, write or run something outside the tables, in any of the databases.
const OUTSIDE: &[&str] = &[
    "load_file",
    "outfile",
    "dumpfile",
    "pg_read_file",
    "pg_read_binary_file",
    "pg_ls_dir",
    "pg_stat_file",
    "lo_import",
    "lo_export",
    "dblink",
    "dblink_exec",
    "dblink_connect",
    "load_extension",
    "readfile",
    "writefile",
    "edit",
    "fsdir",
    "xp_cmdshell",
    "sp_oacreate",
    "openrowset",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "set_config",
    "sys_exec",
    "sys_eval",
    "query_to_xml",
    "database_to_xml",
    "pg_file_write",
    "url",
    "read_csv",
    "read_parquet",
    "read_text",
    "s3",
    "sleep_exec",
];

/// What a text of SQL, as a client takes it, would do: the strongest of its statements.
///
/// # Errors
/// The part that is not understood, in words.
pub(crate) fn read(text: &str) -> Result<QueryClass, String> {
    if text.len() > LIMIT {
        return Err("the SQL is too long to be read".to_owned());
    }
    // MySQL and MariaDB run what stands in such comments.
    if text.contains("/*!") || text.contains("/*M!") {
        return Err("the SQL holds a comment that some databases run".to_owned());
    }
    let mut class = QueryClass::Read;
    let mut sql = String::new();
    for line in text.lines() {
        if let Some(command) = line.trim_start().strip_prefix('\\') {
            let word = command.split_whitespace().next().unwrap_or("");
            let bare = word.trim_end_matches(['+', 'S']);
            let shows = PSQL_SHOWS.contains(&bare)
                || bare.strip_prefix('d').is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphabetic()));
            // Two commands may stand on one line, backquotes run programs, a bar may begin a program's name.
            if !shows || command.contains(['`', '|', '\\']) {
                return Err(format!("the client's command `\\{command}` is not understood"));
            }
        } else if let Some(command) =
            line.strip_prefix('.').filter(|_| sql.trim().is_empty() || sql.trim_end().ends_with(';'))
        {
            let word = command.split_whitespace().next().unwrap_or("");
            if !SQLITE_SHOWS.contains(&word) || command.contains(['|', '`']) {
                return Err(format!("the client's command `.{command}` is not understood"));
            }
        } else {
            sql.push_str(line);
            sql.push('\n');
        }
    }
    if sql.trim().is_empty() || pragma_shows(&sql) {
        return Ok(class);
    }
    // Databases differ in quotes and comments: the strongest reading counts.
    let dialects: [&dyn Dialect; 4] =
        [&PostgreSqlDialect {}, &MySqlDialect {}, &SQLiteDialect {}, &GenericDialect {}];
    let plain = !sql.contains(['\'', '"', '`', '\\', '#', '$', '[', '/', '-']);
    let mut read = false;
    for dialect in dialects {
        let Some(found) = by_dialect(dialect, &sql) else { continue };
        read = true;
        class = class.max(found?);
        if plain {
            break;
        }
    }
    if read { Ok(class) } else { Err("the SQL is not understood".to_owned()) }
}

/// Whether this is sqlite's `PRAGMA table_info(NAME)` or one of its kin, which only show something.
fn pragma_shows(sql: &str) -> bool {
    let sql = sql.trim().trim_end_matches(';').trim();
    let Some((word, rest)) = sql.split_once(char::is_whitespace) else { return false };
    let Some((name, argument)) = rest.trim().split_once('(') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '\'' | '"');
    word.eq_ignore_ascii_case("pragma")
        && PRAGMAS.contains(&name.trim().to_ascii_lowercase().as_str())
        && argument.strip_suffix(')').is_some_and(|a| a.chars().all(plain))
}

/// Pragmas of sqlite that only show something, with or without an argument.
const PRAGMAS: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
];

/// The class by one dialect; `None` when the text is not of that dialect.
fn by_dialect(dialect: &dyn Dialect, sql: &str) -> Option<Result<QueryClass, String>> {
    let tokens = Tokenizer::new(dialect, sql).tokenize().ok()?;
    let statements =
        Parser::new(dialect).with_recursion_limit(DEPTH).try_with_sql(sql).ok()?.parse_statements().ok()?;
    let has = |words: &[&str]| {
        tokens.iter().any(|t| match t {
            Token::Word(w) => words.iter().any(|x| w.value.eq_ignore_ascii_case(x)),
            _ => false,
        })
    };
    if tokens.contains(&Token::Backslash) {
        return Some(Err("a command of the client inside the SQL is not understood".to_owned()));
    }
    let mut class = QueryClass::Read;
    for statement in &statements {
        match of(statement, &has) {
            Ok(found) => class = class.max(found),
            Err(why) => return Some(Err(why)),
        }
    }
    if has(OUTSIDE) {
        class = class.max(QueryClass::Admin);
    }
    Some(Ok(class))
}

fn of(statement: &Statement, has: &dyn Fn(&[&str]) -> bool) -> Result<QueryClass, String> {
    use QueryClass::{Admin, Drop, Read, Schema, Unbounded, Unknown, Write};
    Ok(match statement {
        Statement::Query(query) => of_query(query, has)?,
        Statement::Insert(_) | Statement::Merge(_) => Write,
        Statement::Update(update) => {
            if bounded(update.selection.as_ref()) {
                Write
            } else {
                Unbounded
            }
        }
        Statement::Delete(delete) => {
            let joined = delete.using.is_some()
                || match &delete.from {
                    FromTable::WithFromKeyword(t) | FromTable::WithoutKeyword(t) => {
                        t.iter().any(|t| !matches!(t.relation, TableFactor::Table { .. }))
                    }
                };
            if bounded(delete.selection.as_ref()) && !joined { Write } else { Unbounded }
        }
        Statement::Truncate(_)
        | Statement::Drop { .. }
        | Statement::DropFunction(_)
        | Statement::DropDomain(_)
        | Statement::DropProcedure { .. }
        | Statement::DropTrigger(_)
        | Statement::DropExtension(_)
        | Statement::DropPolicy(_)
        | Statement::DropOperator(_) => Drop,
        Statement::AlterTable(_)
        | Statement::AlterIndex { .. }
        | Statement::AlterView { .. }
        | Statement::AlterSchema(_)
        | Statement::AlterType(_) => {
            if has(&["DROP"]) {
                Drop
            } else if has(&["OWNER"]) {
                Admin
            } else {
                Schema
            }
        }
        Statement::CreateTable(_)
        | Statement::CreateView(_)
        | Statement::CreateIndex(_)
        | Statement::CreateSchema { .. }
        | Statement::CreateSequence { .. }
        | Statement::CreateType { .. }
        | Statement::CreateDomain(_)
        | Statement::Comment { .. }
        | Statement::RenameTable(_) => {
            if has(&["REPLACE"]) {
                Drop
            } else {
                Schema
            }
        }
        Statement::CreateDatabase { .. } => Schema,
        Statement::Analyze(_)
        | Statement::Vacuum(_)
        | Statement::Lock(_)
        | Statement::LockTables { .. }
        | Statement::UnlockTables
        | Statement::NOTIFY { .. } => Write,
        Statement::Explain { analyze, statement, options, .. } => {
            if *analyze || options.is_some() {
                of(statement, has)?
            } else {
                Read
            }
        }
        Statement::ExplainTable { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ShowVariable { .. }
        | Statement::ShowStatus { .. }
        | Statement::ShowVariables { .. }
        | Statement::ShowCreate { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowDatabases { .. }
        | Statement::ShowProcessList { .. }
        | Statement::ShowSchemas { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowViews { .. }
        | Statement::ShowCollation { .. }
        | Statement::Use(_)
        | Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Savepoint { .. }
        | Statement::ReleaseSavepoint { .. }
        | Statement::Fetch { .. }
        | Statement::Close { .. }
        | Statement::LISTEN { .. }
        | Statement::UNLISTEN { .. }
        | Statement::Deallocate { .. } => Read,
        Statement::Set(_) => {
            if has(&["GLOBAL", "PERSIST", "ROLE", "AUTHORIZATION", "PASSWORD", "SYSTEM"]) {
                Admin
            } else {
                Read
            }
        }
        Statement::Pragma { name, value, is_eq } => {
            let name = name.to_string().to_ascii_lowercase();
            let shows = PRAGMAS.contains(&name.as_str());
            if (value.is_none() || shows) && !*is_eq { Read } else { Admin }
        }
        Statement::Copy { to, target, source, .. } => match target {
            CopyTarget::Program { .. } => {
                return Err("the SQL runs a program on the server (`PROGRAM`)".to_owned());
            }
            CopyTarget::File { .. } => Admin,
            CopyTarget::Stdout | CopyTarget::Stdin if *to => match source {
                sqlparser::ast::CopySource::Query(query) => of_query(query, has)?,
                sqlparser::ast::CopySource::Table { .. } => Read,
            },
            CopyTarget::Stdout | CopyTarget::Stdin => Write,
        },
        Statement::Grant(_)
        | Statement::Revoke(_)
        | Statement::Deny(_)
        | Statement::CreateRole(_)
        | Statement::AlterRole { .. }
        | Statement::CreateUser(_)
        | Statement::AlterUser(_)
        | Statement::CreateExtension(_)
        | Statement::CreateFunction(_)
        | Statement::CreateProcedure { .. }
        | Statement::CreateTrigger(_)
        | Statement::CreatePolicy(_)
        | Statement::AlterPolicy(_)
        | Statement::AttachDatabase { .. }
        | Statement::Kill { .. }
        | Statement::Flush { .. }
        | Statement::Load { .. }
        | Statement::LoadData { .. }
        | Statement::CreateServer(_) => Admin,
        _ => Unknown,
    })
}

fn of_query(query: &Query, has: &dyn Fn(&[&str]) -> bool) -> Result<QueryClass, String> {
    let mut class = of_set(&query.body, has)?;
    if let Some(with) = &query.with {
        for cte in &with.cte_tables {
            class = class.max(of_query(&cte.query, has)?);
        }
    }
    Ok(class)
}

fn of_set(body: &SetExpr, has: &dyn Fn(&[&str]) -> bool) -> Result<QueryClass, String> {
    Ok(match body {
        SetExpr::Select(select) => {
            let mut class = if select.into.is_some() { QueryClass::Schema } else { QueryClass::Read };
            // Sequences move and functions of unknown doing are called in a list without a table.
            let calls = |item: &SelectItem| {
                matches!(item, SelectItem::UnnamedExpr(Expr::Function(f)) | SelectItem::ExprWithAlias { expr: Expr::Function(f), .. }
                    if !KNOWN_FUNCTIONS.contains(&f.name.to_string().to_ascii_lowercase().as_str()))
            };
            if select.from.is_empty() && select.projection.iter().any(calls) {
                class = QueryClass::Unknown;
            }
            class
        }
        SetExpr::Query(query) => of_query(query, has)?,
        SetExpr::SetOperation { left, right, .. } => of_set(left, has)?.max(of_set(right, has)?),
        SetExpr::Values(_) | SetExpr::Table(_) => QueryClass::Read,
        SetExpr::Insert(s) | SetExpr::Update(s) | SetExpr::Delete(s) | SetExpr::Merge(s) => of(s, has)?,
    })
}

/// Functions that only compute or show, often called without a table.
const KNOWN_FUNCTIONS: &[&str] = &[
    "now",
    "version",
    "current_database",
    "current_user",
    "current_schema",
    "user",
    "database",
    "count",
    "sum",
    "max",
    "min",
    "avg",
    "coalesce",
    "date",
    "datetime",
    "time",
    "strftime",
    "upper",
    "lower",
    "length",
    "round",
    "abs",
    "random",
    "rand",
    "sqlite_version",
    "pg_size_pretty",
    "pg_database_size",
    "pg_total_relation_size",
    "pg_relation_size",
    "concat",
    "to_regclass",
    "inet_server_addr",
    "pg_is_in_recovery",
    "pg_backend_pid",
    "json_extract",
    "substr",
    "substring",
    "current_setting",
    "date_trunc",
    "extract",
    "to_char",
    "julianday",
    "typeof",
    "hex",
    "md5",
    "if",
    "ifnull",
    "nullif",
    "curdate",
    "connection_id",
    "last_insert_id",
    "exists",
    "current_timestamp",
    "current_date",
    "printf",
    "replace",
];

/// Whether a condition can leave a row out.
fn bounded(selection: Option<&Expr>) -> bool {
    match selection {
        None => false,
        Some(Expr::Value(ValueWithSpan { value, .. })) => {
            !matches!(value, Value::Boolean(true) | Value::Number(..))
        }
        Some(Expr::Nested(inner)) => bounded(Some(inner)),
        Some(Expr::BinaryOp { left, op, right }) => match op {
            sqlparser::ast::BinaryOperator::Or => bounded(Some(left)) && bounded(Some(right)),
            sqlparser::ast::BinaryOperator::And => bounded(Some(left)) || bounded(Some(right)),
            _ => left != right && !(constant(left) && constant(right)),
        },
        Some(Expr::IsNotNull(_)) => false,
        Some(_) => true,
    }
}

fn constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        for (sql, class) in [
            ("select * from users where id = 1", QueryClass::Read),
            ("\\dt+\n", QueryClass::Read),
            (".tables", QueryClass::Read),
            ("show tables;", QueryClass::Read),
            ("PRAGMA table_info(users)", QueryClass::Read),
            ("explain select 1", QueryClass::Read),
            ("update users set a = 1 where id = 3", QueryClass::Write),
            ("insert into t values ('it''s')", QueryClass::Write),
            ("delete from users", QueryClass::Unbounded),
            ("delete from users where 1 = 1", QueryClass::Unbounded),
            ("update users set a = 1 where true", QueryClass::Unbounded),
            ("WITH x AS (DELETE FROM users RETURNING *) SELECT * FROM x", QueryClass::Unbounded),
            ("explain analyze delete from users", QueryClass::Unbounded),
            ("create table t (id int)", QueryClass::Schema),
            ("alter table t add column b int", QueryClass::Schema),
            ("alter table t drop column b", QueryClass::Drop),
            ("select 1; dRoP taBle users", QueryClass::Drop),
            ("truncate users", QueryClass::Drop),
            ("grant all on t to ann", QueryClass::Admin),
            ("copy t to '/tmp/x'", QueryClass::Admin),
            ("select pg_read_file('/etc/passwd')", QueryClass::Admin),
            ("select f(1)", QueryClass::Unknown),
            ("select 'a\\'; drop table t; --'", QueryClass::Drop),
        ] {
            let read = read(sql);
            if class == QueryClass::Admin || class == QueryClass::Unknown {
                assert!(read.as_ref().is_ok_and(|c| *c >= class), "{sql}: {read:?}");
            } else {
                assert_eq!(read, Ok(class), "{sql}");
            }
        }
    }

    #[test]
    fn what_is_not_understood() {
        for sql in [
            "\\! id",
            "\\copy t from program 'id'",
            "select 1 \\g |sh",
            "\\o |sh",
            "copy t from program 'id'",
            ".shell id",
            ".import '|id' t",
            ".mode `id`|x",
            "system id",
            "source x.sql",
            "/*! drop table t */",
        ] {
            let read = read(sql);
            assert!(read.as_ref().map_or(true, |c| *c >= QueryClass::Admin), "{sql}: {read:?}");
        }
    }
}
