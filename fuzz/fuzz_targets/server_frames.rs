#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| grpcws_fuzz_targets::server_frames(data));
