//! Tests of the table of programs and of matching words against it.

#[cfg(test)]
mod common;
#[cfg(test)]
mod matcher;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;
