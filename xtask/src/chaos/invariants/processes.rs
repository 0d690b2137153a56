//! The processes themselves: what they take and what they say.

use crate::chaos::observed::Observed;

/// Far above what a process takes under this load, and far below what a leak would come to.
const MOST_MEMORY_KIB: u64 = 400 * 1024;
const MOST_HANDLES: usize = 1_000;

/// No process ever took more memory or files than that.
pub(super) fn no_process_grows_without_bound(observed: &Observed) -> Vec<String> {
    observed
        .most
        .iter()
        .filter(|(_, most)| most.resident_kib > MOST_MEMORY_KIB || most.handles > MOST_HANDLES)
        .map(|(name, most)| {
            format!(
                "{name} took {} KiB of memory and {} handles",
                most.resident_kib, most.handles
            )
        })
        .collect()
}

/// No secret and no whole phone number stands anywhere where people look.
pub(super) fn nothing_private_is_shown(observed: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    for (place, output) in &observed.outputs {
        for line in output.lines() {
            if let Some(secret) = observed.secrets.iter().find(|secret| line.contains(secret.as_str())) {
                let shown = line.replace(secret.as_str(), "‹the secret›");
                found.push(format!("{place} shows a secret: {shown}"));
            }
            let digits = |letter: char| !letter.is_ascii_digit();
            if line
                .split(digits)
                .any(|run| run.len() >= 9 && observed.phones.contains(run))
            {
                let shown: String = line
                    .chars()
                    .map(|letter| if letter.is_ascii_digit() { '#' } else { letter })
                    .collect();
                found.push(format!("{place} shows a phone number: {shown}"));
            }
        }
    }
    found
}
