//! What the tests in Node have in common: the packages of their lock files, and where everything is.

use std::{path::Path, process::Stdio};

use anyhow::{Context as _, Result, bail};
use billwright_services::{fetch::Node, progress};
use tokio::process::Command;

use crate::test_bed::Places;

/// What npm installs, as it was when it was installed last.
const INSTALLED: &str = "node_modules/.installed-package-lock.json";

/// Installs the packages of the lock file in `folder`, unless they are what is there.
pub(crate) async fn install(node: &Node, folder: &Path) -> Result<()> {
    let name = folder.display();
    let lock = folder.join("package-lock.json");
    let wanted = std::fs::read(&lock).with_context(|| format!("{name} has no lock file"))?;
    let installed = folder.join(INSTALLED);
    if std::fs::read(&installed).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let mut npm = Command::from(node.npm());
    // `npm ci` refuses a lock file without addresses where a package has optional builds per platform. `install` keeps
    // to the same file, and is checked below for leaving it as it was.
    npm.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--omit-lockfile-registry-resolved",
    ])
    .current_dir(folder)
    .stdin(Stdio::null())
    .stdout(Stdio::null())
    .kill_on_drop(true);
    let status = progress::during(&format!("installing the Node packages of {name}"), npm.status()).await?;
    if !status.success() {
        bail!("npm could not install the packages of {name} ({status}); it has told why");
    }
    if std::fs::read(&lock)? != wanted {
        bail!("package-lock.json of {name} does not fit its package.json: look at what npm has changed, and commit it");
    }
    Ok(std::fs::write(installed, wanted)?)
}

/// Tells `command` where everything is; it ends with this process.
pub(crate) fn with_places<'a>(command: &'a mut Command, places: &Places) -> &'a mut Command {
    command
        .env("BILLWRIGHT_URL", &places.billwright_url)
        .env("SANDBOX_URL", &places.billz_url)
        .env("BILLZ_MONGODB_URI", &places.billz_mongodb_uri)
        .env("BILLING_MONGODB_URI", &places.billing_mongodb_uri)
        .env("REDIS_URL", &places.redis_url)
        .env("BULLMQ_PREFIX", &places.bullmq_prefix)
        .env("KAFKA_BROKERS", &places.kafka_brokers)
        .env("KAFKA_TOPIC", &places.kafka_topic)
        .stdin(Stdio::null())
        .kill_on_drop(true)
}
