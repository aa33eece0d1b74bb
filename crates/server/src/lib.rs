//! The console and, later, the organisation: the ledger as pages.
