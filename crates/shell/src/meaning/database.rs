//! Queries given to the clients of databases.

use super::call::Call;
use super::paths::Touch;
use super::roles::opaque;
use super::template::without_password;
use crate::context::Context;
use crate::readers::sql_text;
use model::{Action, Environment, Named, Origin, QueryClass, QueryFacts, Span};
use programs::Role;

/// Adds what a text of SQL would do; `None` when it is not known.
pub(crate) fn query(cx: &mut Context<'_>, call: &mut Call, text: Option<&str>, span: Span) {
    let class = match text.map(sql_text) {
        Some(Ok(class)) => class,
        Some(Err(why)) => {
            opaque(cx, call, why, Origin::Inline, span);
            QueryClass::Unknown
        }
        None => {
            opaque(cx, call, "a part of the SQL is not known".to_owned(), Origin::Inline, span);
            QueryClass::Unknown
        }
    };
    queried(cx, call, class, span);
}

/// Adds a query of this class to the database that the command names.
pub(crate) fn queried(cx: &mut Context<'_>, call: &Call, class: QueryClass, span: Span) {
    let named = call.words(&Role::Database).first().map(programs::Field::shown);
    let host = call.words(&Role::Host).first().map(programs::Field::shown);
    let from_variables = || {
        ["DATABASE_URL", "PGHOST", "PGDATABASE", "MYSQL_HOST"].iter().find_map(|n| {
            call.inv.assignments.iter().rev().find(|(name, _)| name == n).map(|(_, v)| v.shown())
        })
    };
    let set = if host.is_none() && named.is_none() { from_variables() } else { None };
    // Host and name together: either may tell which environment it is.
    let environments: Vec<Environment> = [&host, &named, &set]
        .into_iter()
        .flatten()
        .map(|n| cx.facts.environment(&Named::Database(Some(n.as_str()))))
        .collect();
    let file = match call.words(&Role::Database).first() {
        Some(field) if call.found.reader.as_deref() == Some("sqlite") => Some(field.clone()),
        _ => None,
    };
    if let Some(file) = &file
        && file.known().as_deref() != Some(":memory:")
    {
        let touch = if class == QueryClass::Read { Touch::Read } else { Touch::Write };
        let target = cx.path(file);
        cx.touch(touch, target, false, span);
    }
    let environment = if file.is_some() && environments.iter().all(|e| *e == Environment::Unknown) {
        // A file of this machine: where it lies is judged as with any other.
        Environment::Local
    } else if environments.is_empty() {
        cx.facts.environment(&Named::Database(None))
    } else {
        super::template::strictest(&environments)
    };
    let database = named.or(set).or(host).unwrap_or_default();
    let facts = QueryFacts { database: without_password(&database), class, environment };
    cx.emit(Action::Query(facts), span);
}
