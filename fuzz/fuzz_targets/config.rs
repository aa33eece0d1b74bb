//! `cargo fuzz run config --features libfuzzer fuzz/seeds/config`, see `ambit_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ambit_fuzz::config(bytes));
