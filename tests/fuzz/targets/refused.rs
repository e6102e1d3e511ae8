//! libFuzzer's entry into [`tracebond_fuzz::refused`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::refused(bytes);
});
