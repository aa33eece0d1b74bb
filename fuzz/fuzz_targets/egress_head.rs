//! `cargo fuzz run egress_head --features libfuzzer`: a head that is accepted reads as itself once it is written anew.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(once) = egress::reading::request_head(bytes, "good.example") {
        assert_eq!(egress::reading::request_head(&once, "good.example").as_deref(), Some(once.as_slice()));
    }
    let _ = egress::reading::answer_head(bytes, "GET");
});
