//! Secrets: found, hidden from the model, lent to a process.
