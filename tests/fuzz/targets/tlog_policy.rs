//! libFuzzer's entry into [`tracebond_fuzz::tlog_policy`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::tlog_policy(bytes);
});
