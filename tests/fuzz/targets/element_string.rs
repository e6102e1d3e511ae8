//! libFuzzer's entry into [`tracebond_fuzz::element_string`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::element_string(bytes);
});
