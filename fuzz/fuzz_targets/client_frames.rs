#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| grpcws_fuzz_targets::client_frames(data));
