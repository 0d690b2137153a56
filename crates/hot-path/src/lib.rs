//! Marks what `cargo xtask instructions` counts: the part of a test that a request, an event or a job goes through.
//!
//! A hot path is an ignored test whose name begins with `hot_path_`. It prepares what it needs, and runs what is to be
//! counted within [`counted`].

/// Runs `path`. Callgrind counts the instructions between its beginning and its end, and no others: it is told so by the
/// name of this function.
#[inline(never)]
pub fn counted<T>(path: impl FnOnce() -> T) -> T {
    std::hint::black_box(path())
}
