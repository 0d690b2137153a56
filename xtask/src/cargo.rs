//! Cargo inside `cargo run`, without what the outer one leaves behind.

use std::path::Path;

use tokio::process::Command;

/// `cargo` in the folder of the workspace.
///
/// The outer cargo describes the package that it runs in variables which build scripts of dependencies watch: left in
/// place, they would make every dependency with such a script be built again, here and then by the next plain `cargo`.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let described = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_")
                || ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "OUT_DIR"].contains(&name)
        });
        if described {
            command.env_remove(name);
        }
    }
    command.current_dir(workspace());
    command
}

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
