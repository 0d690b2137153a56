//! The operations pages of the built binary: who reaches them, and that they show what goes on.

use std::{io::Write as _, process::Stdio};

use billwright_sandbox::ORDER_ID;
use serde_json::json;

use crate::world::{World, until};

#[tokio::test]
async fn the_overview_shows_the_process_and_what_it_did() {
    let world = World::new().await;
    let process = world.start(&[]).await;
    process.ready().await;
    world.add("GET_ORDER", json!({ "orderId": ORDER_ID }), None).await;
    world.add("GET_ORDER", json!({}), None).await;
    let expected = [
        "worker, api, events",
        "<code>worker.redis</code> <span class=\"badge good\">up</span>",
        "<dt>jobs completed</dt><dd class=\"plain\">1</dd>",
        "<dt>jobs failed for good</dt><dd class=\"bad\">1</dd>",
        "1 job failed for good in the last hour.",
    ];
    until("the overview to show it all", async || {
        let (status, page) = process.get("dashboard", &[]).await;
        assert_eq!(status, 200, "{page}");
        expected.iter().all(|text| page.contains(text)).then_some(())
    })
    .await;
    // Secrets are masked, and each value says where it came from.
    let (_, settings) = process.get("dashboard/settings", &[]).await;
    assert!(settings.contains("<code>BILLZ_TOKEN</code>") && settings.contains("<td>environment</td>"));
    assert!(!settings.contains(world.environment["BILLZ_TOKEN"].as_str()));
    // Somebody from elsewhere, behind a proxy on this machine.
    let (status, page) = process.get("dashboard", &[("x-forwarded-for", "203.0.113.7")]).await;
    assert!(status == 403 && page.contains("DASHBOARD_USERS"), "{status}");
    process.stop().await;
    world.end().await;
}

#[tokio::test]
async fn an_entry_that_the_command_prints_lets_people_sign_in_and_nobody_else() {
    let mut world = World::new().await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_billwright"))
        .args(["dashboard-user", "anna", "--role", "operator"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut password = command.stdin.take().unwrap();
    password.write_all(b"correct horse battery\n").unwrap();
    drop(password);
    let output = command.wait_with_output().unwrap();
    let entry = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(
        output.status.success() && entry.starts_with("anna:operator:$argon2id$"),
        "{entry}"
    );
    world.set("DASHBOARD_USERS", &entry);
    let process = world.start(&["--roles", "api"]).await;
    assert_eq!(process.get("dashboard", &[]).await.0, 303);
    let (status, page) = process.get("dashboard/login", &[]).await;
    assert!(status == 200 && page.contains("name=\"password\""), "{status}");
    process.stop().await;

    world.set("DASHBOARD_USERS", "anna:operator:secret");
    world.set("DASHBOARD_SESSION_KEY", "short");
    let (status, _, report) = world.command(&["run", "--roles", "api"]).await;
    assert_eq!(status, 78, "{report}");
    for expected in ["DASHBOARD_USERS", "argon2id", "DASHBOARD_SESSION_KEY", "at least 32"] {
        assert!(report.contains(expected), "{expected} is missing in:\n{report}");
    }
    assert!(!report.contains("secret"), "{report}");
    world.end().await;
}
