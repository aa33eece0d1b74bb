//! `cargo fuzz run table --features libfuzzer fuzz/seeds/table`, see `ambit_fuzz::table`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ambit_fuzz::table(bytes));
