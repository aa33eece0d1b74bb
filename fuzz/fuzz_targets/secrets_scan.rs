//! `cargo fuzz run secrets_scan --features libfuzzer fuzz/seeds/secrets_scan`, see `ambit_fuzz::secrets_scan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ambit_fuzz::secrets_scan(bytes));
