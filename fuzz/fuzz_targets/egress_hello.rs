//! `cargo fuzz run egress_hello --features libfuzzer`: no greeting of TLS stops its reader, nor one that is cut.
#![no_main]

use egress::Hello;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Hello::Greeting { .. } = Hello::read(bytes) {
        // A beginning of it is not another greeting.
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        assert!(matches!(Hello::read(half), Hello::Short | Hello::Greeting { .. }));
    }
});
