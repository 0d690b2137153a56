//! Checks of the repository as a whole.

// `cfg(test)` always holds here; it tells clippy that functions beside the tests may unwrap too.
#[cfg(test)]
mod repository;
