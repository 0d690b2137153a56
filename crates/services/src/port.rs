//! Free ports on 127.0.0.1.

use std::{
    hash::{BuildHasher, RandomState},
    net::TcpListener,
};

use anyhow::{Context, Result};

/// Below what systems hand out to outgoing connections (Linux begins at 32768, others at 49152), so that no client can
/// sit on a server's port between its death and its restart.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port on which nobody listens now. It is not reserved: whoever starts a server on it tries another when it is lost.
pub fn free() -> Result<u16> {
    let span = u64::from(RANGE.end - RANGE.start);
    (0..1_000_u32)
        .find_map(|attempt| {
            let offset = RandomState::new().hash_one(attempt) % span;
            let port = RANGE.start + u16::try_from(offset).ok()?;
            is_free(port).then_some(port)
        })
        .context("none of 1,000 ports tried on 127.0.0.1 between 20000 and 32000 is free")
}

/// Whether a server could listen on `port` now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
