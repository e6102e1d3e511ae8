//! libFuzzer's entry into [`tracebond_fuzz::disclosure`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::disclosure(bytes);
});
