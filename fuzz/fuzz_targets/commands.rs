//! `cargo fuzz run commands --features libfuzzer fuzz/seeds/commands`, see `ambit_fuzz::commands`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ambit_fuzz::commands(bytes));
