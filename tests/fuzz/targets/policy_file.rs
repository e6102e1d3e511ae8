//! libFuzzer's entry into [`tracebond_fuzz::policy_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::policy_file(bytes);
});
