//! `cargo fuzz run egress_dns --features libfuzzer`: a name that is judged is a strict host name.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for name in egress::reading::dns_names(bytes).unwrap_or_default() {
        assert_eq!(egress::read_host(&name).map(|h| h.to_string()), Ok(name));
    }
});
