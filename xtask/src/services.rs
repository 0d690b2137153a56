//! `cargo xtask services`: real servers for development, gone at Ctrl-C.

use anyhow::Result;
use billwright_services::Services;

#[expect(
    clippy::print_stdout,
    reason = "the command's answer, to be pasted into another terminal"
)]
pub(crate) async fn run() -> Result<()> {
    let services = Services::start().await?;
    for (name, value) in services.variables() {
        println!("export {name}='{value}'");
    }
    println!(
        "# MongoDB, Redis and Kafka are running; Ctrl-C stops those that were started here and removes their data"
    );
    crate::interrupt::interrupted().await?;
    Ok(())
}
