//! The `billwright` binary.
fn main() {}
