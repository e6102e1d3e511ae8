//! libFuzzer's entry into [`tracebond_fuzz::digital_link`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tracebond_fuzz::digital_link(bytes);
});
