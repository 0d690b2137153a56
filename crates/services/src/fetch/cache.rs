//! The cache folder: each entry appears whole or not at all, and two processes never make the same entry at once.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::environment::variable;

/// `BILLWRIGHT_CACHE`, else `.cache` in the repository.
pub(super) fn folder() -> PathBuf {
    variable("BILLWRIGHT_CACHE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache"),
        PathBuf::from,
    )
}

/// The folder `name` in `cache`, which `fill` fills, once, if it is not there: `fill` gets an empty folder that takes the
/// name when all is in it.
pub(super) async fn entry(cache: &Path, name: &str, fill: impl AsyncFnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn an_entry_is_made_once_however_many_ask_for_it_at_once() {
        let cache = tempfile::tempdir().unwrap();
        let fills = AtomicU32::new(0);
        let ask = async || {
            entry(cache.path(), "tool-1", async |folder| {
                fills.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(fs::write(folder.join("tool"), "content")?)
            })
            .await
        };
        let (first, second, third) = tokio::join!(ask(), ask(), ask());
        let folder = first.unwrap();
        assert_eq!((&second.unwrap(), &third.unwrap()), (&folder, &folder));
        assert_eq!(fills.into_inner(), 1);
        assert_eq!(fs::read_to_string(folder.join("tool")).unwrap(), "content");
    }

    #[tokio::test]
    async fn a_failed_entry_leaves_nothing_and_is_tried_again() {
        let cache = tempfile::tempdir().unwrap();
        let failed = entry(cache.path(), "tool-1", async |folder| {
            fs::write(folder.join("half"), "half")?;
            anyhow::bail!("the line went dead")
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "the line went dead");
        let left: Vec<_> = fs::read_dir(cache.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["tool-1.lock"]);

        let folder = entry(cache.path(), "tool-1", async |folder| {
            Ok(fs::write(folder.join("whole"), "whole")?)
        });
        assert!(folder.await.unwrap().join("whole").is_file());
    }
}
