//! libFuzzer's entry into [`tracebond_fuzz::tombstones`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::tombstones(bytes);
});
