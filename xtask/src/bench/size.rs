//! How large the binary is.

use anyhow::Result;

use super::{
    benchmark::Benchmark,
    figures::{Contender, Figure, float},
    ground::Ground,
};

pub(super) const CASE: &str = "binary";

pub(super) fn run(ground: &mut Ground) -> Result<()> {
    let bytes = std::fs::metadata(ground.program())?.len();
    let figures = [(Figure::SizeMib, float(bytes) / 1024.0 / 1024.0)];
    ground.record(Benchmark::Size, CASE, Contender::Ours, 1, figures);
    Ok(())
}
