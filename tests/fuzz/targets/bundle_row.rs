//! libFuzzer's entry into [`tracebond_fuzz::bundle_row`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::bundle_row(bytes);
});
