//! The cache folder: each entry appears whole or not at all, and two processes never make the same entry at once.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::environment::variable;

/// `BILLWRIGHT_CACHE`, else `.cache` in the repository.
fn folder() -> PathBuf {
    variable("BILLWRIGHT_CACHE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache"),
        PathBuf::from,
    )
}

/// The folder `name` in the cache, which `fill` fills, once, if it is not there: `fill` gets an empty folder that takes
/// the name when all is in it.
pub(crate) async fn entry(name: &str, fill: impl AsyncFnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    entry_in(&folder(), name, fill).await
}

pub(crate) async fn entry_in(cache: &Path, name: &str, fill: impl AsyncFnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cannot = || {
        format!(
            "cannot keep {name} in the cache folder {} (`BILLWRIGHT_CACHE` names another)",
            cache.display()
        )
    };
    fs::create_dir_all(cache).with_context(cannot)?;
    let cache = cache.canonicalize().with_context(cannot)?;
    let whole = cache.join(name);
    if whole.is_dir() {
        return Ok(whole);
    }
    let _lock = lock(cache.join(format!("{name}.lock"))).await.with_context(cannot)?;
    if !whole.is_dir() {
        let unfinished = tempfile::Builder::new()
            .prefix(".unfinished-")
            .tempdir_in(&cache)
            .with_context(cannot)?;
        let content = unfinished.path().join("content");
        fs::create_dir(&content).with_context(cannot)?;
        fill(&content).await?;
        fs::rename(&content, &whole).with_context(cannot)?;
    }
    Ok(whole)
}

/// The system takes the lock back when the file closes, however the process ends.
async fn lock(path: PathBuf) -> Result<File> {
    tokio::task::spawn_blocking(move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok(file)
    })
    .await?
}
