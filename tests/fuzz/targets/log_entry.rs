//! libFuzzer's entry into [`tracebond_fuzz::log_entry`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::log_entry(bytes);
});
