//! `cargo fuzz run egress_socks --features libfuzzer`: a target that is accepted is the same when it is written out.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(target) = egress::reading::socks_request(bytes) {
        assert_eq!(egress::Target::read(&target.to_string(), None), Ok(target));
    }
});
