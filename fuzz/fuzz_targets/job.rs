#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| billwright_worker::fuzzing::job(input));
