//! `cargo fuzz run payload --features libfuzzer fuzz/seeds/payload`, see `ambit_fuzz::payload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ambit_fuzz::payload(bytes));
