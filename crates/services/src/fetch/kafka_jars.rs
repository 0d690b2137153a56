//! Apache Kafka's jars: Maven fetches them, and each must be in the committed list of checksums.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::cache;
use crate::{
    environment::{on_path, variable},
    progress,
};

const ENTRY: &str = "kafka-4.1.1";
const POM: &str = include_str!("../../kafka/pom.xml");
const CHECKSUMS: &str = include_str!("../../kafka/jars.sha256");
const DEADLINE: Duration = Duration::from_mins(15);

pub(super) async fn fetch() -> Result<PathBuf> {
    cache::entry(&cache::folder(), ENTRY, async |folder| {
        let maven = maven().await?;
        let pom = folder.with_extension("pom.xml");
        fs::write(&pom, POM)?;
        let mut command = Command::new(maven);
        command
            .args(["--quiet", "--batch-mode", "dependency:copy-dependencies", "-DincludeScope=runtime", "--file"])
            .arg(&pom)
            .arg(format!("-DoutputDirectory={}", folder.display()));
        if variable("JAVA_HOME").is_none() && on_path("java").is_none() {
            let java = super::java().await?;
            command.env("JAVA_HOME", java.parent().and_then(Path::parent).context("`java` lies in no `bin` folder")?);
        }
        let output = run("fetching Apache Kafka 4.1.1 (43 MB)", &mut command).await?;
        ensure!(
            output.status.success(),
            "Maven cannot fetch Apache Kafka. Name running brokers in `KAFKA_BROKERS` to go without it. Maven said:\n{}{}",
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        check(folder, CHECKSUMS)
    })
    .await
}

async fn run(label: &str, command: &mut Command) -> Result<Output> {
    command.kill_on_drop(true).stdin(std::process::Stdio::null());
    let output = progress::during(label, tokio::time::timeout(DEADLINE, command.output())).await;
    Ok(output.with_context(|| format!("{label} has not ended in 15 minutes"))??)
}

/// `mvn`, which root on Debian gets installed.
async fn maven() -> Result<PathBuf> {
    const INSTALL: &str = "apt-get install --yes --no-install-recommends maven";
    if let Some(maven) = on_path("mvn") {
        return Ok(maven);
    }
    let missing = format!(
        "Apache Kafka is fetched by Maven, and `mvn` is not on `PATH`: install it (on Debian `{INSTALL}`, as root), or name \
         running brokers in `KAFKA_BROKERS`"
    );
    if on_path("apt-get").is_none() || !nix::unistd::geteuid().is_root() {
        bail!(missing);
    }
    progress::tell("`mvn` is not on `PATH`: installing Debian's package `maven`, which fetches Apache Kafka");
    let script = format!("apt-get update --quiet=2 && {INSTALL}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env("DEBIAN_FRONTEND", "noninteractive");
    let output = run("installing Maven", &mut command).await?;
    on_path("mvn").with_context(|| {
        format!(
            "{missing}. apt-get said:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        )
    })
}

/// Fails unless `folder` holds exactly the files of `checksums` (lines as `sha256sum` writes them), each as listed.
fn check(folder: &Path, checksums: &str) -> Result<()> {
    let mut expected = BTreeMap::new();
    for line in checksums.lines() {
        let (sum, name) = line
            .split_once("  ")
            .with_context(|| format!("no checksum and name: `{line}`"))?;
        expected.insert(name.to_owned(), sum);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(sum) = expected.remove(&name) else {
            bail!("Maven brought {name}, which `jars.sha256` does not list")
        };
        let found = hex::encode(Sha256::digest(fs::read(entry.path())?));
        ensure!(
            found == sum,
            "{name} is not what it should be: its SHA-256 is {found}, and `jars.sha256` expects {sum}. If the version was \
             changed on purpose, write the new list with `sha256sum *.jar`"
        );
    }
    ensure!(
        expected.is_empty(),
        "Maven did not bring {}",
        expected.into_keys().collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  greeting.jar";

    fn refusal(files: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        check(folder.path(), LISTED).err().map(|error| error.to_string())
    }

    #[test]
    fn accepts_exactly_the_listed_jars() {
        assert_eq!(refusal(&[("greeting.jar", "hello")]), None);
    }

    #[test]
    fn refuses_a_jar_with_another_checksum_a_missing_one_and_one_too_many() {
        let changed = refusal(&[("greeting.jar", "hello!")]).unwrap();
        assert!(
            changed.starts_with("greeting.jar is not what it should be"),
            "{changed}"
        );
        assert_eq!(refusal(&[]).unwrap(), "Maven did not bring greeting.jar");
        let extra = refusal(&[("greeting.jar", "hello"), ("other.jar", "")]).unwrap();
        assert_eq!(extra, "Maven brought other.jar, which `jars.sha256` does not list");
    }

    #[test]
    fn the_committed_list_has_a_checksum_for_every_jar() {
        for line in CHECKSUMS.lines() {
            let (sum, name) = line.split_once("  ").unwrap();
            assert!(
                sum.len() == 64 && Path::new(name).extension().is_some_and(|kind| kind == "jar"),
                "{line}"
            );
        }
    }
}
