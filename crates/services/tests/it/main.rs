//! The servers really start, die, come back and go away.

// `cfg(test)` always holds here; it tells clippy that functions beside the tests may unwrap too.
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod mongodb;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod supervision;
