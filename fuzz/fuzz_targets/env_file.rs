#![no_main]

// The reader's crate is a binary, so that it cannot be a dependency.
#[path = "../../crates/app/src/config/env_file.rs"]
mod env_file;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    billwright_bad_input::check_env_file(input, |content| {
        let file = env_file::read(content);
        (file.values, file.problems)
    });
});
