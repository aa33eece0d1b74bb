//! What is wrong with a file of the table.

/// A fault in a file of the table, at the place where it is to be mended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {}{message}", place(.program, .key))]
pub struct TableError {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// The program or sub-command, its words separated by spaces; empty when none is meant.
    pub program: String,
    /// The key; empty when none is meant.
    pub key: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

fn place(program: &str, key: &str) -> String {
    match (program, key) {
        ("", "") => String::new(),
        (program, "") => format!("`{program}`: "),
        ("", key) => format!("`{key}`: "),
        (program, key) => format!("`{program}`, `{key}`: "),
    }
}

impl TableError {
    /// A fault at this byte of the text.
    pub(crate) fn at(file: &str, text: &str, byte: usize, program: &str, key: &str, message: String) -> Self {
        let before = text.get(..byte.min(text.len())).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Self {
            file: file.to_owned(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            program: program.to_owned(),
            key: key.to_owned(),
            message,
        }
    }
}
